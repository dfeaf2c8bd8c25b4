#pragma once

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

// Gives OpenSSL what it asks while it works: which certificate, which protocol, is this chain good. It is all code of ours, that touches
// nothing but what belongs to the connection (rule T18); what the program wants to say to it is asked afterwards.
// `keylog`: there is one. OpenSSL writes out the secrets of each connection for it, which is a tenth of a handshake.
void set_common_callbacks(SSL_CTX& context, bool keylog) noexcept;
void set_server_callbacks(SSL_CTX& context, bool tickets) noexcept;
void set_client_callbacks(SSL_CTX& context) noexcept;

}  // namespace sluice::tls::detail
