#include <sluice/tls/error.hpp>

#include <string>

namespace sluice::tls {
namespace {

const char* text(errc value) noexcept {
  switch (value) {
    case errc::certificate_expired:
      return "the peer's certificate has expired; its owner has to renew it (or check the clock of this machine)";
    case errc::certificate_not_yet_valid:
      return "the peer's certificate is not valid yet; check the clock of this machine, or wait until it is";
    case errc::name_mismatch:
      return "the peer's certificate is for another name; connect by a name that it has, or give that name to verify";
    case errc::unknown_authority:
      return "the peer's certificate comes from an authority that is not trusted here; add that authority's certificate to the trusted "
             "ones, or have the peer send the certificates in between";
    case errc::self_signed: return "the peer's certificate is signed by itself and not trusted here; add it to the trusted ones, or pin it";
    case errc::revoked: return "the peer's certificate was revoked by its authority; its owner has to get a new one";
    case errc::not_pinned: return "the peer's certificate is none of the pinned ones; if it was renewed on purpose, pin the new one";
    case errc::certificate_unsuitable: return "the peer's certificate may not be used for this; its owner needs another one";
    case errc::no_certificate: return "the peer sent no certificate, which is required here; configure one there";
    case errc::no_ocsp_response:
      return "the peer's certificate came without a valid OCSP response, which is required here; switch on stapling there";
    case errc::rejected: return "this program's own check refused the peer";
    case errc::name_required:
      return "there is no name to verify the peer's certificate by; give the name of the server (server_name, or name= in an endpoint)";
    case errc::wrong_version: return "the two ends have no version of TLS in common; this end speaks TLS 1.2 and 1.3 unless told otherwise";
    case errc::no_common_cipher: return "the two ends have no cipher, group or signature in common; one of them needs an update";
    case errc::no_common_protocol: return "the two ends have no ALPN protocol in common; compare their lists";
    case errc::unknown_name: return "the client asked for a name that this server has no certificate for; add one, or correct the name";
    case errc::plain_http: return "the peer speaks HTTP without TLS; use https, or a port without TLS";
    case errc::not_tls: return "what the peer sends is not TLS; check the port, and that TLS is switched on there";
    case errc::protocol_violation: return "the peer broke the rules of TLS, or bytes were changed on their way";
    case errc::refused_by_peer: return "the peer refused the connection by an alert; its log says why";
    case errc::refused_our_certificate: return "the peer did not accept the certificate of this end; configure one that it trusts";
    case errc::handshake_cut:
      return "the connection ended inside the TLS handshake; check that the peer speaks TLS on this port, and its log";
    case errc::plaintext_before_tls:
      return "bytes came in the clear where TLS was to begin; the peer is broken, or somebody injects commands";
    case errc::renegotiation: return "the peer asked to renegotiate, which is never done here";
    case errc::control_flood: return "the peer asks for answers of TLS itself and does not read them";
    case errc::bad_file: return "a file cannot be read, or does not hold what it should";
    case errc::bad_password: return "the password of a private key is missing or wrong";
    case errc::key_mismatch: return "the private key does not belong to the certificate";
    case errc::bad_option: return "an option of TLS has a value that makes no sense";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int value) const override { return text(static_cast<errc>(value)); }
};

}  // namespace

const std::error_category& tls_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), tls_category()}; }

}  // namespace sluice::tls
