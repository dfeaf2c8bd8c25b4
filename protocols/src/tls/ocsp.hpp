#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

// What a server says of its own certificate.
struct staple {
  std::string der;  // empty if there is none
  std::time_t until = 0;

  bool is_good() const noexcept { return !der.empty() && std::time(nullptr) < until; }
};

// Nothing if `der` is no response, or says nothing of `leaf`.
std::optional<staple> read_staple(std::string der, const X509& leaf);

enum class ocsp_verdict {
  good,
  revoked,
  missing,  // none was sent
  useless   // it is malformed, too old, about another certificate, or nobody vouches for it
};

// What the server stapled says about its certificate.
ocsp_verdict look_at_stapled_response(SSL& ssl) noexcept;

// The certificate says of itself that a server has to staple (RFC 7633).
bool must_be_stapled(const X509& leaf) noexcept;

}  // namespace sluice::tls::detail
