#include "tls/callbacks.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "tls/certificate.hpp"
#include "tls/ocsp.hpp"
#include "tls/session_span.hpp"
#include "tls/ssl_session.hpp"

namespace sluice::tls::detail {
namespace {

// A pinned certificate needs neither an authority nor a name.
int accept_pinned(X509_STORE_CTX& at, const context_set& contexts) noexcept {
  fingerprint digest;
  X509* const leaf = X509_STORE_CTX_get0_cert(&at);
  const bool known = leaf != nullptr && fingerprint_of(*leaf, digest) &&
                     std::find(contexts.pins.begin(), contexts.pins.end(), digest) != contexts.pins.end();
  X509_STORE_CTX_set_error(&at, known ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
  return known ? 1 : 0;
}

int verify_chain(X509_STORE_CTX* at, void*) {
  const auto* const ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(at, SSL_get_ex_data_X509_STORE_CTX_idx()));
  ssl_session& mine = ssl_session::of(ssl);
  const bool verifies = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
  if (!verifies) return 1;
  const int good = mine.contexts().pins.empty() ? X509_verify_cert(at) : accept_pinned(*at, mine.contexts());
  return good == 1 || mine.tolerates(verification_problem(*at, mine.name())) ? 1 : 0;
}

void log_secret(const SSL* ssl, const char* line) { ssl_session::of(ssl).state().write_keylog(line); }

// The only warning that this end ever sends: it was asked for a new handshake.
void note_alert(const SSL* ssl, int where, int alert) {
  if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && (alert & 0xff) == SSL_AD_NO_RENEGOTIATION)
    ssl_session::of(ssl).note_renegotiation();
}

// The one host name of a client's extension (RFC 6066, section 3); empty if it is malformed, which OpenSSL says by itself.
std::string_view host_name_in(const unsigned char* extension, std::size_t size) noexcept {
  constexpr std::size_t header = 5;  // length of the list, kind of the name, length of the name
  if (size <= header || extension[2] != TLSEXT_NAMETYPE_host_name) return {};
  const std::size_t length = std::size_t{extension[3]} << 8 | extension[4];
  if (length != size - header) return {};
  return {reinterpret_cast<const char*>(extension) + header, length};
}

// OpenSSL forgets the name where a session of TLS 1.2 is resumed that was made for another one.
int note_server_name(SSL* ssl, int* alert, void*) {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &size) != 1) return SSL_CLIENT_HELLO_SUCCESS;
  try {
    ssl_session::of(ssl).set_name(std::string(host_name_in(extension, size)));
  } catch (const std::bad_alloc&) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

int select_certificate(SSL* ssl, int* alert, void*) {
  ssl_session& mine = ssl_session::of(ssl);
  if (mine.name().empty()) return SSL_TLSEXT_ERR_NOACK;
  const context_set::choice* const chosen = mine.contexts().for_name(mine.name());
  if (chosen != nullptr) return SSL_set_SSL_CTX(ssl, chosen->context.get()) == nullptr ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
  if (mine.state().server().unknown == unknown_name::use_first) return SSL_TLSEXT_ERR_NOACK;
  mine.set_problem({errc::unknown_name, {}});
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int select_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered, unsigned offered_size,
                    void*) {
  ssl_session& mine = ssl_session::of(ssl);
  const std::string& own = mine.state().alpn();
  if (own.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* found = nullptr;
  const auto* const wanted = reinterpret_cast<const unsigned char*>(own.data());
  const int how = SSL_select_next_proto(&found, size, wanted, static_cast<unsigned>(own.size()), offered, offered_size);
  if (how != OPENSSL_NPN_NEGOTIATED) {
    mine.set_problem({errc::no_common_protocol, {}});
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt) {
  ticket_keys& keys = ssl_session::of(ssl).state().tickets;
  return encrypt == 1 ? keys.encrypt(name, iv, cipher, mac) : keys.decrypt(name, iv, cipher, mac, SSL_version(ssl) == TLS1_3_VERSION);
}

int staple_response(SSL* ssl, void*) {
  const staple* const response = ssl_session::of(ssl).contexts().staple_of(SSL_get_certificate(ssl));
  if (response == nullptr || !response->is_good()) return SSL_TLSEXT_ERR_NOACK;
  auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(response->der.data(), response->der.size()));
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response->der.size()));
  return SSL_TLSEXT_ERR_OK;
}

int check_response(SSL* ssl, void*) {
  ssl_session& mine = ssl_session::of(ssl);
  if (!mine.contexts().pins.empty() || !mine.state().client().verify_peer) return 1;
  if (SSL_session_reused(ssl) == 1) return 1;  // the server says nothing new (RFC 8446, section 4.4.2.1)
  const ocsp_verdict verdict = look_at_stapled_response(*ssl);
  clear_errors();
  const X509* const leaf = SSL_get0_peer_certificate(ssl);
  const bool required = mine.state().client().require_ocsp || (leaf != nullptr && must_be_stapled(*leaf));
  if (verdict == ocsp_verdict::good || (verdict != ocsp_verdict::revoked && !required)) return 1;
  return mine.tolerates({verdict == ocsp_verdict::revoked ? errc::revoked : errc::no_ocsp_response, {}}) ? 1 : 0;
}

// 0: OpenSSL keeps its own reference.
int keep_session(SSL* ssl, SSL_SESSION* fresh) {
  SSL_SESSION_up_ref(fresh);
  ssl_session::of(ssl).keep(ssl_session_ptr(fresh));
  return 0;
}

// Only called where the server asks.
int note_certificate_request(SSL* ssl, void*) {
  ssl_session::of(ssl).note_certificate_request();
  return 1;
}

// What the macros of OpenSSL do, without their casts.
template <typename Callback>
void set_callback(SSL_CTX& context, int which, Callback callback) noexcept {
  SSL_CTX_callback_ctrl(&context, which, reinterpret_cast<void (*)()>(callback));
}

}  // namespace

void set_common_callbacks(SSL_CTX& context, bool keylog) noexcept {
  SSL_CTX_set_cert_verify_callback(&context, verify_chain, nullptr);
  if (keylog) SSL_CTX_set_keylog_callback(&context, log_secret);
  SSL_CTX_set_info_callback(&context, note_alert);
}

void set_server_callbacks(SSL_CTX& context, bool tickets) noexcept {
  set_callback(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, select_certificate);
  SSL_CTX_set_alpn_select_cb(&context, select_protocol, nullptr);
  set_callback(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, staple_response);
  SSL_CTX_set_client_hello_cb(&context, note_server_name, nullptr);
  if (!tickets) return;
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, use_ticket_key);
  SSL_CTX_set_session_ticket_cb(&context, put_end_into_ticket, judge_ticket, nullptr);
}

void set_client_callbacks(SSL_CTX& context) noexcept {
  set_callback(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, check_response);
  SSL_CTX_sess_set_new_cb(&context, keep_session);
  SSL_CTX_set_cert_cb(&context, note_certificate_request, nullptr);
}

}  // namespace sluice::tls::detail
