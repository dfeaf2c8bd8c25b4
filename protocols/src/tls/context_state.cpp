#include "tls/context_state.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include <openssl/rand.h>

#include "tls/callbacks.hpp"
#include "tls/credentials.hpp"
#include "tls/problem.hpp"

namespace sluice::tls::detail {
namespace {

// Forward secrecy and authenticated encryption only. Those of TLS 1.3 are all of this kind.
constexpr const char* tls1_2_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* groups = "X25519:P-256:P-384";

void check(bool good, const char* what) {
  if (!good) throw_setup(errc::bad_option, what);
}

int number_of(protocol_version value) noexcept {
  switch (value) {
    case protocol_version::tls1_2: return TLS1_2_VERSION;
    case protocol_version::tls1_3: return TLS1_3_VERSION;
  }
  return TLS1_3_VERSION;
}

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& each : protocols) {
    check(!each.empty() && each.size() <= 255, "a name of an ALPN protocol has 1 to 255 bytes");
    wire += static_cast<char>(each.size());
    wire += each;
  }
  return wire;
}

fingerprint parse_pin(const std::string& text) {
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits), [](char each) { return each != ':'; });
  const bool hex = std::ranges::all_of(digits, [](unsigned char each) { return std::isxdigit(each) != 0; });
  if (digits.size() != 64 || !hex)
    throw_setup(errc::bad_option, "pinned certificate \"" + text + "\": expected its SHA-256, 64 hexadecimal digits");
  fingerprint made;
  for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<unsigned char>(std::stoi(digits.substr(2 * i, 2), nullptr, 16));
  return made;
}

bool is_given(const identity& one) noexcept { return !one.chain_file.empty() || !one.chain_pem.empty() || !one.pkcs12_file.empty(); }
bool is_given(const trust& one) noexcept {
  return one.system || !one.ca_files.empty() || !one.ca_dirs.empty() || !one.ca_pem.empty() || !one.pinned.empty();
}

ssl_context_ptr make_context(const common_options& options, const SSL_METHOD* method, bool keylog) {
  ssl_context_ptr made(SSL_CTX_new(method));
  if (made == nullptr) throw_openssl(errc::bad_option, "OpenSSL makes no context");
  SSL_CTX_set_min_proto_version(made.get(), number_of(options.min_version));
  SSL_CTX_set_max_proto_version(made.get(), number_of(options.max_version));
  SSL_CTX_set_options(made.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(made.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(made.get(), tls1_2_ciphers) != 1 || SSL_CTX_set1_groups_list(made.get(), groups) != 1)
    throw_openssl(errc::bad_option, "this OpenSSL does not know the ciphers");
  set_common_callbacks(*made, keylog);
  return made;
}

void use(SSL_CTX& context, const credentials& own) {
  if (SSL_CTX_use_certificate(&context, own.leaf.get()) != 1 || SSL_CTX_use_PrivateKey(&context, own.key.get()) != 1 ||
      SSL_CTX_set1_chain(&context, own.chain.get()) != 1)
    throw_openssl(errc::bad_file, "a certificate cannot be used");
}

void name_authorities(SSL_CTX& context, const trust& clients) {
  const certificates_ptr all = authorities(clients);
  for (int i = 0; i < sk_X509_num(all.get()); ++i)
    if (SSL_CTX_add_client_CA(&context, sk_X509_value(all.get(), i)) != 1) throw std::bad_alloc();
}

// Tickets stand for who the client was: they are good only as long as the same authorities are asked.
using session_mark = std::array<unsigned char, 16>;
session_mark mark_of_sessions(client_auth clients) {
  session_mark made{'s', 'l', 'u', 'i', 'c', 'e'};
  if (clients != client_auth::none && RAND_bytes(made.data(), static_cast<int>(made.size())) != 1)
    throw_openssl(errc::bad_option, "there is no randomness");
  return made;
}

void ask_clients(SSL_CTX& context, const server_options& options) {
  const int must = options.clients == client_auth::require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | must, nullptr);
  SSL_CTX_set_cert_store(&context, load(options.client_trust).release());
  name_authorities(context, options.client_trust);
}

context_set::choice make_choice(const server_options& options, const identity& one, const session_mark& mark, bool keylog) {
  credentials own = load(one);
  context_set::choice made{names_of(*own.leaf), make_context(options, TLS_server_method(), keylog), std::move(own.ocsp)};
  use(*made.context, own);
  if (options.clients != client_auth::none) ask_clients(*made.context, options);
  SSL_CTX_set_session_id_context(made.context.get(), mark.data(), static_cast<unsigned>(mark.size()));
  SSL_CTX_set_session_cache_mode(made.context.get(), SSL_SESS_CACHE_OFF);
  if (!options.tickets) {
    SSL_CTX_set_options(made.context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(made.context.get(), 0);
  }
  set_server_callbacks(*made.context, options.tickets);
  return made;
}

context_set::choice make_choice(const client_options& options, const std::string& alpn, bool keylog) {
  context_set::choice made{{}, make_context(options, TLS_client_method(), keylog), {}};
  if (is_given(options.own)) use(*made.context, load(options.own));
  SSL_CTX_set_verify(made.context.get(), options.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (options.verify_peer) SSL_CTX_set_cert_store(made.context.get(), load(options.servers).release());
  SSL_CTX_set_session_cache_mode(made.context.get(),
                                 options.resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
  if (!alpn.empty() && SSL_CTX_set_alpn_protos(made.context.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                                               static_cast<unsigned>(alpn.size())) != 0)
    throw std::bad_alloc();
  if (options.verify_peer) SSL_CTX_set_tlsext_status_type(made.context.get(), TLSEXT_STATUSTYPE_ocsp);
  set_client_callbacks(*made.context);
  return made;
}

}  // namespace

const context_set::choice* context_set::for_name(std::string_view name) const noexcept {
  for (const choice& each : choices)
    for (const std::string& pattern : each.names)
      if (name_matches(pattern, name)) return &each;
  return nullptr;
}

const context_set::choice* context_set::of(const SSL_CTX* context) const noexcept {
  for (const choice& each : choices)
    if (each.context.get() == context) return &each;
  return nullptr;
}

context_state::context_state(const server_options& options) : tickets(options.ticket_key_lifetime), server_(options) {
  check(!options.identities.empty(), "a server needs an identity: a certificate and its private key");
  check(options.clients == client_auth::none || is_given(options.client_trust),
        "a server that asks for client certificates needs authorities to verify them by");
  check(options.ticket_key_lifetime.count() > 0, "ticket_key_lifetime must be above 0");
  check_common();
  current_ = load_all();
}

context_state::context_state(const client_options& options) : tickets(std::chrono::hours(1)), client_(options) {
  check(options.verify_peer || !options.require_ocsp, "require_ocsp means nothing without verify_peer");
  check_common();
  current_ = load_all();
}

void context_state::check_common() {
  const common_options& options = common();
  check(options.min_version <= options.max_version, "min_version is above max_version");
  check(options.handshake_timeout.count() > 0, "handshake_timeout must be above 0");
  check(options.shutdown_timeout.count() > 0, "shutdown_timeout must be above 0");
  alpn_ = wire_form(options.alpn);
  open_keylog();
}

void context_state::open_keylog() {
  std::string path = common().keylog_file;
  const char* const named = std::getenv("SSLKEYLOGFILE");
  if (path.empty() && common().keylog_from_environment && named != nullptr) path = named;
  if (path.empty()) return;
  const bool is_new = !std::filesystem::exists(path);
  keylog_.open(path, std::ios::app);
  if (!keylog_) throw_setup(errc::bad_file, path + ": secrets cannot be written there");
  std::error_code ignored;  // somebody else's file keeps its mode
  if (is_new) std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
}

void context_state::write_keylog(const char* line) noexcept {
  if (!keylog_.is_open()) return;
  try {
    const std::lock_guard lock(keylog_guard_);
    keylog_ << line << '\n' << std::flush;
  } catch (...) {
    keylog_.clear();  // a log that is full must not end connections
  }
}

std::shared_ptr<const context_set> context_state::load_all() const {
  clear_errors();
  auto made = std::make_shared<context_set>();
  if (server_) {
    const session_mark mark = mark_of_sessions(server_->clients);
    for (const identity& each : server_->identities) made->choices.push_back(make_choice(*server_, each, mark, keylog_.is_open()));
  } else {
    made->choices.push_back(make_choice(*client_, alpn_, keylog_.is_open()));
  }
  for (const std::string& each : server_ ? server_->client_trust.pinned : client_->servers.pinned) made->pins.push_back(parse_pin(each));
  return made;
}

std::shared_ptr<const context_set> context_state::current() const {
  const std::lock_guard lock(guard_);
  return current_;
}

void context_state::reload() {
  std::shared_ptr<const context_set> fresh = load_all();
  const std::lock_guard lock(guard_);
  current_.swap(fresh);
  sessions.clear();  // they were verified by other rules
}

}  // namespace sluice::tls::detail
