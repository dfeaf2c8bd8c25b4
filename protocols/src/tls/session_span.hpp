#pragma once

#include <ctime>

#include "tls/openssl.hpp"

// How long one may come back without a full handshake: for 7 days at most (RFC 8446, section 4.6.1), and not beyond what was verified
// then, however often the session is renewed meanwhile.

namespace sluice::tls::detail {

// The end of it for a connection whose full handshake has just been done.
std::time_t end_of_sessions(const SSL& connection) noexcept;

// Servers keep it in the ticket itself. These are OpenSSL's callbacks, with its results.
int put_end_into_ticket(SSL* ssl, void*) noexcept;
SSL_TICKET_RETURN judge_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char* key_name, std::size_t size, SSL_TICKET_STATUS status,
                               void*) noexcept;

}  // namespace sluice::tls::detail
