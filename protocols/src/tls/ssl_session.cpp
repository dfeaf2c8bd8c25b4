#include "tls/ssl_session.hpp"

#include <new>
#include <utility>

#include "tls/certificate.hpp"
#include "tls/session_span.hpp"

namespace sluice::tls::detail {

ssl_session::ssl_session(std::shared_ptr<context_state> state, std::string name)
    : state_(std::move(state)), contexts_(state_->current()), name_(std::move(name)) {
  if (name_.ends_with('.')) name_.pop_back();  // it says that the name is complete, and is no part of it (RFC 6066, section 3)
}

// An end without a goodbye does not make a session bad (RFC 5246, section 7.2.1), as OpenSSL has it; only what broke does.
ssl_session::~ssl_session() {
  if (ssl_ != nullptr && !is_broken_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

std::unique_ptr<ssl_session> ssl_session::make(std::shared_ptr<context_state> state, workshop& shop, const std::string& name) noexcept {
  clear_errors();
  std::unique_ptr<ssl_session> made;
  try {
    made = std::make_unique<ssl_session>(std::move(state), name);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  if (!made->set_up(shop)) made.reset();
  clear_errors();
  return made;
}

bool ssl_session::set_up(workshop& shop) noexcept {
  ssl_.reset(SSL_new(contexts_->choices.front().context.get()));
  if (ssl_ == nullptr || SSL_set_ex_data(ssl_.get(), 0, this) != 1) return false;
  use(shop);
  if (!state_->is_server()) return set_up_client();
  SSL_set_accept_state(ssl_.get());
  return true;
}

bool ssl_session::set_up_client() noexcept {
  SSL_set_connect_state(ssl_.get());
  if (name_.empty()) return true;
  const bool numeric = is_ip_address(name_);
  if (!numeric && SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name_.data()) != 1) return false;
  if (state_->client().verify_peer && contexts_->pins.empty()) {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const int set =
        numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name_.c_str()) : SSL_set1_host(ssl_.get(), name_.c_str());
    if (set != 1) return false;
  }
  if (!state_->client().resume) return true;
  const kept_session earlier = contexts_->sessions.take(name_);
  if (earlier.session == nullptr || SSL_set_session(ssl_.get(), earlier.session.get()) != 1) return true;
  sessions_end_ = earlier.until;
  return true;
}

bool ssl_session::tolerates(problem what) noexcept {
  if (!state_->common().check_decides) {
    set_problem(std::move(what));
    return false;
  }
  if (!unverified_.code) unverified_ = std::move(what);
  return true;
}

void ssl_session::keep(ssl_session_ptr fresh) noexcept {
  if (name_.empty() || unverified_.code) return;
  try {
    contexts_->sessions.put(name_, {std::move(fresh), was_resumed() ? sessions_end_ : end_of_sessions(*ssl_)});
  } catch (const std::bad_alloc&) {
    return;  // then the next connection begins anew
  }
}

outcome ssl_session::handshake(record_io& io) noexcept {
  clear_errors();
  const record_scope scope(io);
  const outcome result = judge(SSL_do_handshake(ssl_.get()));
  // A session of TLS 1.2 is good for the next time, too, now that it has shown to be good.
  if (result == outcome::done && !state_->is_server() && was_resumed() && !is_tls1_3()) keep(ssl_session_ptr(SSL_get1_session(ssl_.get())));
  return result;
}

void ssl_session::use(workshop& shop) noexcept {
  SSL_set0_rbio(ssl_.get(), shop.share_bio());
  SSL_set0_wbio(ssl_.get(), shop.share_bio());
}

outcome ssl_session::handshake_apart(std::string& input, std::string& output) noexcept {
  clear_errors();
  bio_ptr in(BIO_new_mem_buf(input.data(), static_cast<int>(input.size())));
  bio_ptr out(BIO_new(BIO_s_mem()));
  if (in == nullptr || out == nullptr) {
    set_problem(take_openssl_problem());
    return outcome::failed;
  }
  BIO* const from = in.get();
  BIO* const to = out.get();
  BIO_ctrl(from, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nullptr);  // more may come
  SSL_set0_rbio(ssl_.get(), in.release());
  SSL_set0_wbio(ssl_.get(), out.release());
  const outcome result = judge(SSL_do_handshake(ssl_.get()));
  clear_errors();
  input.erase(0, input.size() - BIO_ctrl_pending(from));
  char* records = nullptr;
  const long size = BIO_ctrl(to, BIO_CTRL_INFO, 0, static_cast<void*>(&records));
  try {
    output.assign(records, static_cast<std::size_t>(size));
  } catch (const std::bad_alloc&) {
    set_problem({make_error_code(std::errc::not_enough_memory), {}});
    return outcome::failed;
  }
  return result;
}

outcome ssl_session::read(record_io& io, mutable_bytes into, std::size_t& n) noexcept {
  clear_errors();
  const record_scope scope(io);
  const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &n);
  if (renegotiation_) {
    set_problem({errc::renegotiation, {}});
    return outcome::failed;
  }
  return result == 1 ? outcome::done : judge(result);
}

outcome ssl_session::write(record_io& io, const_bytes data) noexcept {
  clear_errors();
  const record_scope scope(io);
  std::size_t n = 0;
  const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &n);
  return result == 1 ? outcome::done : judge(result);
}

outcome ssl_session::say_goodbye(record_io& io) noexcept {
  clear_errors();
  const record_scope scope(io);
  const int result = SSL_shutdown(ssl_.get());
  return result >= 0 ? outcome::done : judge(result);
}

outcome ssl_session::judge(int result) noexcept {
  if (result == 1) return outcome::done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return outcome::wants_input;
    case SSL_ERROR_ZERO_RETURN: return outcome::peer_closed;
    default: explain_failure(); return outcome::failed;
  }
}

// TLS 1.2 has no alert for a certificate that is missing.
void ssl_session::explain_failure() noexcept {
  is_broken_ = true;
  problem found = take_openssl_problem();
  const bool showed_none = was_asked_ && SSL_get_certificate(ssl_.get()) == nullptr;
  if (showed_none && (found.code == errc::no_common_cipher || found.code == errc::refused_our_certificate)) found = certificate_wanted();
  set_problem(std::move(found));
}

problem ssl_session::take_problem() noexcept {
  clear_errors();
  return std::exchange(problem_, {});
}

session ssl_session::describe() const {
  session result;
  const SSL* const ssl = ssl_.get();
  result.version = is_tls1_3() ? protocol_version::tls1_3 : protocol_version::tls1_2;
  if (const char* const cipher = SSL_get_cipher_name(ssl)) result.cipher = cipher;
  const unsigned char* alpn = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &size);
  if (alpn != nullptr) result.alpn.assign(reinterpret_cast<const char*>(alpn), size);
  if (!is_ip_address(name_)) result.server_name = name_;
  result.resumed = was_resumed();
  X509* const leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return result;
  result.peer_chain.push_back(detail::describe(*leaf));
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(chain); ++i)
    if (X509_cmp(sk_X509_value(chain, i), leaf) != 0) result.peer_chain.push_back(detail::describe(*sk_X509_value(chain, i)));
  const bool asked = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
  result.verify_error = unverified_.code;
  result.verify_detail = unverified_.detail.empty() && unverified_.code ? unverified_.code.message() : unverified_.detail;
  result.verified = asked && !unverified_.code && SSL_get_verify_result(ssl) == X509_V_OK;
  return result;
}

}  // namespace sluice::tls::detail
