#include "tls/session_span.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "tls/certificate.hpp"

namespace sluice::tls::detail {
namespace {

constexpr std::time_t longest = 7 * 24 * 3600;  // seconds

}  // namespace

std::time_t end_of_sessions(const SSL& connection) noexcept {
  std::time_t end = std::time(nullptr) + longest;
  const STACK_OF(X509)* const verified = SSL_get0_verified_chain(&connection);
  for (int i = 0; i < sk_X509_num(verified); ++i) end = std::min(end, time_of(*X509_get0_notAfter(sk_X509_value(verified, i))));
  return end;
}

// What is renewed keeps what it had.
int put_end_into_ticket(SSL* ssl, void*) noexcept {
  if (SSL_session_reused(ssl) == 1) return 1;
  // Who does not hold, and is here because the program had it so, is asked again.
  const std::int64_t end = SSL_get_verify_result(ssl) == X509_V_OK ? std::int64_t{end_of_sessions(*ssl)} : 0;
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &end, sizeof end);
}

SSL_TICKET_RETURN judge_ticket(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status, void*) noexcept {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  void* data = nullptr;
  std::size_t size = 0;
  std::int64_t end = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || size != sizeof end) return SSL_TICKET_RETURN_IGNORE_RENEW;
  std::memcpy(&end, data, size);
  if (std::time(nullptr) >= end) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace sluice::tls::detail
