#include "tls/callbacks.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "tls/certificate.hpp"
#include "tls/ocsp.hpp"
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
  if (good == 1) return 1;
  mine.set_problem(verification_problem(*at, mine.name()));
  return 0;
}

void log_secret(const SSL* ssl, const char* line) { ssl_session::of(ssl).state().write_keylog(line); }

// The only warning that this end ever sends: it was asked for a new handshake.
void note_alert(const SSL* ssl, int where, int alert) {
  if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && (alert & 0xff) == SSL_AD_NO_RENEGOTIATION)
    ssl_session::of(ssl).note_renegotiation();
}

int select_certificate(SSL* ssl, int* alert, void*) {
  ssl_session& mine = ssl_session::of(ssl);
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const context_set::choice* const chosen = mine.contexts().for_name(name);
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
  const context_set::choice* const chosen = ssl_session::of(ssl).contexts().of(SSL_get_SSL_CTX(ssl));
  if (chosen == nullptr || chosen->ocsp.empty()) return SSL_TLSEXT_ERR_NOACK;
  auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(chosen->ocsp.data(), chosen->ocsp.size()));
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(chosen->ocsp.size()));
  return SSL_TLSEXT_ERR_OK;
}

int check_response(SSL* ssl, void*) {
  ssl_session& mine = ssl_session::of(ssl);
  if (!mine.contexts().pins.empty() || !mine.state().client().verify_peer) return 1;
  const ocsp_verdict verdict = look_at_stapled_response(*ssl);
  clear_errors();
  const bool required = mine.state().client().require_ocsp;
  if (verdict == ocsp_verdict::good || (verdict != ocsp_verdict::revoked && !required)) return 1;
  mine.set_problem({verdict == ocsp_verdict::revoked ? errc::revoked : errc::no_ocsp_response, {}});
  return 0;
}

// 0: OpenSSL keeps its own reference.
int keep_session(SSL* ssl, SSL_SESSION* fresh) {
  ssl_session& mine = ssl_session::of(ssl);
  if (mine.name().empty()) return 0;
  SSL_SESSION_up_ref(fresh);
  ssl_session_ptr owned(fresh);
  try {
    mine.state().sessions.put(mine.name(), std::move(owned));
  } catch (const std::bad_alloc&) {
    return 0;  // then the next connection begins anew
  }
  return 0;
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
  if (tickets) SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, use_ticket_key);
}

void set_client_callbacks(SSL_CTX& context) noexcept {
  set_callback(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, check_response);
  SSL_CTX_sess_set_new_cb(&context, keep_session);
}

}  // namespace sluice::tls::detail
