#include <stdexcept>

#include "tls_client.hpp"

namespace load {

std::unique_ptr<tls_client> make_tls_client() { throw std::runtime_error("this program was built without OpenSSL"); }

}  // namespace load
