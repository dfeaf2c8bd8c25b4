#include "tls/problem.hpp"

#include <algorithm>

#include <sluice/error.hpp>

#include "tls/certificate.hpp"

namespace sluice::tls::detail {
namespace {

errc code_of_alert(int alert) noexcept {
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION: return errc::wrong_version;
    case SSL_AD_NO_APPLICATION_PROTOCOL: return errc::no_common_protocol;
    case SSL_AD_UNRECOGNIZED_NAME: return errc::unknown_name;
    case SSL_AD_HANDSHAKE_FAILURE: return errc::no_common_cipher;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE:
    case SSL_AD_CERTIFICATE_REQUIRED: return errc::refused_our_certificate;
    default: return errc::refused_by_peer;
  }
}

errc code_of_reason(int reason) noexcept {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return errc::plain_http;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG: return errc::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW: return errc::wrong_version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: return errc::no_common_cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL: return errc::no_common_protocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return errc::no_certificate;
    case SSL_R_CALLBACK_FAILED:
    case SSL_R_CLIENTHELLO_TLSEXT: return errc::unknown_name;
    case SSL_R_INVALID_STATUS_RESPONSE: return errc::no_ocsp_response;
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return errc::certificate_unsuitable;
    default: return errc::protocol_violation;
  }
}

std::error_code code_of(unsigned long error) noexcept {
  const int reason = ERR_GET_REASON(error);
  if (reason == ERR_R_MALLOC_FAILURE) return make_error_code(std::errc::not_enough_memory);
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return errc::protocol_violation;
  if (reason > SSL_AD_REASON_OFFSET) return code_of_alert(reason - SSL_AD_REASON_OFFSET);
  return code_of_reason(reason);
}

std::string text_of(unsigned long error) {
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? "error " + std::to_string(error) : std::string(reason);
}

errc code_of_verification(int error) noexcept {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return errc::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return errc::certificate_not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return errc::name_mismatch;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return errc::self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED: return errc::unknown_authority;
    case X509_V_ERR_CERT_REVOKED: return errc::revoked;
    case X509_V_ERR_CERT_REJECTED: return errc::not_pinned;
    default: return errc::certificate_unsuitable;
  }
}

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t most_named = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most_named) text += " and " + std::to_string(names.size() - most_named) + " more";
  return text.empty() ? "no name at all" : text;
}

// What belongs to the code, of the certificate at which the chain was refused.
std::string story_of(errc code, X509_STORE_CTX& at, const certificate& refused, const std::string& asked) {
  const std::string whose = "the certificate of " + refused.subject;
  if (code == errc::certificate_expired) return whose + " expired on " + date_text(refused.not_after);
  if (code == errc::certificate_not_yet_valid) return whose + " is valid from " + date_text(refused.not_before) + " on";
  if (code == errc::name_mismatch) return "asked for " + asked + ", the certificate is for " + joined(refused.names);
  if (code == errc::self_signed) return whose + " is signed by itself and not trusted here";
  if (code == errc::unknown_authority) return whose + " was issued by " + refused.issuer + ", which is not trusted here";
  if (code == errc::not_pinned) return whose + " has the SHA-256 " + refused.sha256 + ", which is not pinned here";
  return whose + ": " + X509_verify_cert_error_string(X509_STORE_CTX_get_error(&at));
}

}  // namespace

problem take_openssl_problem() noexcept {
  const unsigned long error = ERR_peek_error();
  problem result{error == 0 ? make_error_code(std::errc::not_enough_memory) : code_of(error), {}};
  try {
    if (error != 0) result.detail = result.code.message() + " (OpenSSL: " + text_of(error) + ")";
  } catch (const std::bad_alloc&) {
    result.detail.clear();  // the code has to do
  }
  ERR_clear_error();
  return result;
}

problem verification_problem(X509_STORE_CTX& at, const std::string& asked) noexcept {
  const errc code = code_of_verification(X509_STORE_CTX_get_error(&at));
  problem result{code, {}};
  X509* refused = X509_STORE_CTX_get_current_cert(&at);
  if (refused == nullptr) refused = X509_STORE_CTX_get0_cert(&at);
  if (refused == nullptr) return result;
  try {
    result.detail = story_of(code, at, describe(*refused), asked) + ": " + result.code.message();
  } catch (const std::bad_alloc&) {
    result.detail.clear();
  }
  return result;
}

problem certificate_wanted() noexcept {
  problem result{errc::refused_our_certificate, {}};
  try {
    result.detail =
        "the peer wants to see a certificate, and this end has none: give it one (client_options::own, or cert= and key= in an endpoint)";
  } catch (const std::bad_alloc&) {
    result.detail.clear();
  }
  return result;
}

void throw_setup(errc code, const std::string& what) { throw std::system_error(code, what); }

void throw_openssl(errc code, const std::string& what) {
  const unsigned long error = ERR_peek_last_error();
  const std::string why = error == 0 ? std::string() : " (OpenSSL: " + text_of(error) + ")";
  ERR_clear_error();
  throw_setup(code, what + why);
}

}  // namespace sluice::tls::detail
