#pragma once

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

enum class ocsp_verdict {
  good,
  revoked,
  missing,  // none was sent
  useless   // it is malformed, too old, about another certificate, or nobody vouches for it
};

// What the server stapled says about its certificate.
ocsp_verdict look_at_stapled_response(SSL& ssl) noexcept;

}  // namespace sluice::tls::detail
