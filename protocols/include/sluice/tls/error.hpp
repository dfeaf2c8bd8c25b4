#pragma once

#include <system_error>
#include <type_traits>

/// TLS 1.2 and 1.3 as a layer over any transport, on OpenSSL.
namespace sluice::tls {

/// Why there is no secure connection, or no context for one. Each message says what a person should do; what a code cannot carry (names, dates,
/// files) stands in the detail that `connection_options::done` and `failure_handler` get. A deadline that passed is `sluice::errc::timed_out`,
/// an end without the goodbye that TLS asks for is `sluice::errc::truncated`.
enum class errc {
  certificate_expired = 1,    ///< A certificate of the peer's chain is not valid any more.
  certificate_not_yet_valid,  ///< A certificate of the peer's chain is not valid yet.
  name_mismatch,              ///< The peer's certificate is for other names than the one that was asked for.
  unknown_authority,          ///< The chain ends at an authority that is not trusted here.
  self_signed,                ///< The peer's certificate is signed by itself and not trusted here.
  revoked,                    ///< The authority has withdrawn the peer's certificate, as the stapled OCSP response says.
  not_pinned,                 ///< The peer's certificate is none of the pinned ones.
  certificate_unsuitable,     ///< A certificate of the chain may not be used for this: purpose, key, signature or form.
  no_certificate,             ///< The peer sent no certificate where one is required.
  no_ocsp_response,           ///< Where an OCSP response is required the peer stapled none, or one that is not valid.
  rejected,                   ///< The program's own check refused the peer.
  name_required,              ///< A client that verifies was given no name to verify.
  wrong_version,              ///< The two ends have no version of TLS in common.
  no_common_cipher,           ///< The two ends have no cipher, group or signature in common.
  no_common_protocol,         ///< The two ends have no ALPN protocol in common.
  unknown_name,               ///< The client asked for a name that this server has no certificate for.
  plain_http,                 ///< The peer speaks HTTP without TLS.
  not_tls,                    ///< What the peer sends is not TLS.
  protocol_violation,         ///< The peer breaks the rules of TLS, or a record was damaged on its way.
  refused_by_peer,            ///< The peer ended the handshake or the connection by an alert.
  refused_our_certificate,    ///< The peer does not accept the certificate of this end, or asks for one.
  handshake_cut,              ///< The connection ended inside the handshake.
  plaintext_before_tls,       ///< Bytes came in the clear behind the command that starts TLS.
  renegotiation,              ///< The peer asked for a new handshake on an open connection.
  control_flood,              ///< The peer asks for answers of TLS itself and does not read them.
  bad_file,                   ///< Set-up: a file cannot be read or holds no certificate, key, or whatever is wanted.
  bad_password,               ///< Set-up: the password for a private key or PKCS#12 file is missing or wrong.
  key_mismatch,               ///< Set-up: the private key is not that of the certificate.
  bad_option                  ///< Set-up: an option has a value that makes no sense.
};

/// Category of `errc`; its name is "tls".
const std::error_category& tls_category() noexcept;

std::error_code make_error_code(errc value) noexcept;

}  // namespace sluice::tls

template <>
struct std::is_error_code_enum<sluice::tls::errc> : std::true_type {};
