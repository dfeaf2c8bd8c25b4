#pragma once

#include <string>
#include <system_error>

#include <sluice/tls/error.hpp>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

// What went wrong: a code, and the whole story for a person where the code is too short for it.
struct problem {
  std::error_code code;
  std::string detail;
};

// What stands in OpenSSL's error queue of this thread, which is empty afterwards.
problem take_openssl_problem() noexcept;

// Why the chain was refused, in the middle of its verification. `asked` is the name that was to be verified.
problem verification_problem(X509_STORE_CTX& at, const std::string& asked) noexcept;

// The peer asked for a certificate, got none, and refuses that.
problem certificate_wanted() noexcept;

// A failure of set-up: `what` names the file or option.
[[noreturn]] void throw_setup(errc code, const std::string& what);
// As above, with what OpenSSL says about it.
[[noreturn]] void throw_openssl(errc code, const std::string& what);

// Nothing of earlier calls, of whoever shares the thread, may be taken for a failure of ours (rule T19).
inline void clear_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace sluice::tls::detail
