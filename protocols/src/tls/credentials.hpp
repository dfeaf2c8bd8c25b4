#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sluice/tls/context.hpp>

#include "tls/openssl.hpp"

// From files and text to OpenSSL's objects. All throw `std::system_error` with a text that names the file.

namespace sluice::tls::detail {

// The whole of a file.
std::string read_file(const std::string& path);

// What an `identity` stands for.
struct credentials {
  certificate_ptr leaf;
  certificates_ptr chain;
  key_ptr key;
  std::string ocsp;  // DER
};
credentials load(const identity& from);

// The store of those who are believed; shared by reference count.
using store_ptr = std::unique_ptr<X509_STORE, openssl_deleter<X509_STORE_free>>;
store_ptr load(const trust& from);

// The certificates of all CA files and texts, whose names a server tells its clients.
certificates_ptr authorities(const trust& from);

}  // namespace sluice::tls::detail
