#include "tls/context_state.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <openssl/rand.h>

#include "tls/callbacks.hpp"
#include "tls/credentials.hpp"
#include "tls/problem.hpp"

namespace sluice::tls::detail {
namespace {

// Forward secrecy and authenticated encryption only. Those of TLS 1.3 are all of this kind.
constexpr const char* tls1_2_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* groups = "X25519:P-256:P-384:P-521";
constexpr std::size_t most_of_alpn = 16 * 1024;  // bytes: with more of it a first message might not fit one record

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
  check(wire.size() <= most_of_alpn, "the names of the ALPN protocols are longer than 16384 bytes together");
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
    throw_openssl(errc::bad_file, own.name + ": the certificate cannot be used");
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

context_set::choice make_choice(const server_options& options, const session_mark& mark, bool keylog) {
  context_set::choice made{{}, make_context(options, TLS_server_method(), keylog), {}};
  if (options.clients != client_auth::none) ask_clients(*made.context, options);
  SSL_CTX_set_session_id_context(made.context.get(), mark.data(), static_cast<unsigned>(mark.size()));
  SSL_CTX_set_session_cache_mode(made.context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(made.context.get(), 0);
  if (!options.tickets) {
    SSL_CTX_set_options(made.context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(made.context.get(), 0);
  }
  set_server_callbacks(*made.context, options.tickets);
  return made;
}

bool have_one_kind_of_key(const credentials& a, const credentials& b) noexcept {
  return EVP_PKEY_get_base_id(a.key.get()) == EVP_PKEY_get_base_id(b.key.get());
}

// Certificates for the same names with different kinds of keys are one choice: the client's abilities select among them.
void add_identity(std::vector<context_set::choice>& choices, credentials own, const auto& make) {
  std::vector<std::string> names = names_of(*own.leaf);
  std::ranges::sort(names);
  auto at = std::ranges::find(choices, names, &context_set::choice::names);
  if (at == choices.end() || names.empty()) {
    choices.push_back(make());
    at = std::prev(choices.end());
    at->names = std::move(names);
  }
  for (const credentials& other : at->own)
    if (have_one_kind_of_key(own, other))
      throw_setup(errc::bad_option,
                  own.name + ": is for the same names and has the same kind of key as " + other.name + ", and would never be used");
  use(*at->context, own);
  at->own.push_back(std::move(own));
}

context_set::choice make_choice(const client_options& options, const std::string& alpn, bool keylog) {
  context_set::choice made{{}, make_context(options, TLS_client_method(), keylog), {}};
  if (is_given(options.own)) {
    made.own.push_back(load(options.own));
    use(*made.context, made.own.front());
  }
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
  for (const bool wildcard : {false, true})
    for (const choice& each : choices)
      for (const std::string& pattern : each.names)
        if (pattern.starts_with("*.") == wildcard && name_matches(pattern, name)) return &each;
  return nullptr;
}

const staple* context_set::staple_of(const X509* leaf) const noexcept {
  for (const choice& each : choices)
    for (const credentials& own : each.own)
      if (own.leaf.get() == leaf) return &own.ocsp;
  return nullptr;
}

context_state::context_state(const server_options& options) : tickets(options.ticket_key_lifetime), server_(options) {
  check(!options.identities.empty(), "a server needs an identity: a certificate and its private key");
  check(options.clients == client_auth::none || is_given(options.client_trust),
        "a server that asks for client certificates needs authorities to verify them by (client_trust, or client_ca= in an endpoint)");
  check(options.clients != client_auth::none || !is_given(options.client_trust),
        "whom to believe among clients is said, and no client is asked for a certificate; request or require them");
  check(options.ticket_key_lifetime.count() > 0, "ticket_key_lifetime must be above 0");
  check_common();
  current_ = load_all();
}

context_state::context_state(const client_options& options) : tickets(std::chrono::hours(1)), client_(options) {
  check(options.verify_peer || !options.require_ocsp, "require_ocsp means nothing without verify_peer");
  check(options.verify_peer || options.servers.pinned.empty(),
        "certificates are pinned, and verify_peer is off, which would not look at them");
  check(options.servers.pinned.empty() || !options.require_ocsp,
        "require_ocsp means nothing for a pinned certificate, which needs no authority");
  check_common();
  current_ = load_all();
}

void context_state::check_common() {
  const common_options& options = common();
  check(options.min_version <= options.max_version, "min_version is above max_version");
  check(!options.check_decides || options.check_peer, "check_decides is on, and there is no check_peer to decide");
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
  constexpr mode_t for_nobody_else = S_IRUSR | S_IWUSR;  // if it is new
  keylog_ = descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, for_nobody_else));
  if (!keylog_) throw_setup(errc::bad_file, path + ": secrets cannot be written there: " + std::generic_category().message(errno));
}

// One call for each line, so that lines of several connections and processes do not mix. A log that is full must not end connections.
void context_state::write_keylog(const char* line) noexcept {
  char end[] = "\n";
  const iovec parts[] = {{const_cast<char*>(line), std::strlen(line)}, {end, 1}};
  [[maybe_unused]] const ssize_t written = ::writev(keylog_.get(), parts, 2);
}

std::shared_ptr<const context_set> context_state::load_all() const {
  clear_errors();
  auto made = std::make_shared<context_set>();
  if (server_) {
    const session_mark mark = mark_of_sessions(server_->clients);
    for (const identity& each : server_->identities)
      add_identity(made->choices, load(each), [&] { return make_choice(*server_, mark, keylog_.is_open()); });
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
}

}  // namespace sluice::tls::detail
