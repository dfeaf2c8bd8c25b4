#include "tls_client.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

#include "target.hpp"

namespace load {
namespace {

constexpr std::size_t read_ahead = 64 * 1024;  // some records by one recv

struct release {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using context_ptr = std::unique_ptr<SSL_CTX, release>;
using ssl_ptr = std::unique_ptr<SSL, release>;
using ticket_ptr = std::unique_ptr<SSL_SESSION, release>;

[[noreturn]] void fail_with_tls(const char* what) {
  std::array<char, 256> why{};
  ERR_error_string_n(ERR_get_error(), why.data(), why.size());
  ERR_clear_error();
  throw std::runtime_error(std::string(what) + ": " + why.data());
}

class session final : public tls_session {
 public:
  explicit session(ssl_ptr ssl) : ssl_(std::move(ssl)) {}

  bool shake_hands() override {
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1 && wait_or_end(result, "the handshake of TLS") == 0) throw std::runtime_error("the server ended a connection");
    return result == 1;
  }
  bool was_resumed() const override { return SSL_session_reused(ssl_.get()) == 1; }
  bool has_ticket() const override {
    const SSL_SESSION* const current = SSL_get_session(ssl_.get());
    return current != nullptr && SSL_SESSION_is_resumable(current) == 1;
  }
  // A copy, which is good whatever becomes of this connection.
  ticket_ptr ticket() const { return ticket_ptr(SSL_SESSION_dup(SSL_get_session(ssl_.get()))); }

  ssize_t receive(std::span<std::byte> into) override {
    std::size_t filled = 0;
    while (filled < into.size()) {
      std::size_t n = 0;
      const int result = SSL_read_ex(ssl_.get(), into.data() + filled, into.size() - filled, &n);
      if (result != 1) return filled != 0 ? static_cast<ssize_t>(filled) : wait_or_end(result, "reading through TLS");
      filled += n;
    }
    return static_cast<ssize_t>(filled);
  }

  ssize_t send(std::span<const std::byte> data) override {
    std::size_t sent = 0;
    while (sent < data.size()) {
      std::size_t n = 0;
      const int result = SSL_write_ex(ssl_.get(), data.data() + sent, data.size() - sent, &n);
      if (result != 1) return sent != 0 ? static_cast<ssize_t>(sent) : wait_or_end(result, "writing through TLS");
      sent += n;
    }
    return static_cast<ssize_t>(sent);
  }

  bool holds_more() const override { return SSL_has_pending(ssl_.get()) == 1; }
  void say_goodbye() override {
    const char* const what = "ending TLS";
    const int result = SSL_shutdown(ssl_.get());
    if (result >= 0) return;
    wait_or_end(result, what);
    fail(what);
  }

 private:
  ssize_t wait_or_end(int result, const char* what) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
      case SSL_ERROR_ZERO_RETURN: return 0;
      case SSL_ERROR_SYSCALL: fail(what);
      default: fail_with_tls(what);
    }
  }

  ssl_ptr ssl_;
};

class client final : public tls_client {
 public:
  client() : context_(SSL_CTX_new(TLS_client_method())) {
    if (context_ == nullptr || SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_256_GCM_SHA384") != 1 || SSL_CTX_set1_groups_list(context_.get(), "X25519") != 1)
      fail_with_tls("OpenSSL");
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL sends by write(2): that a server ended a connection is an error and not our end
    SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);  // nginx does not answer a goodbye that comes with the handshake
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context_.get(), 1);
    SSL_CTX_set_default_read_buffer_len(context_.get(), read_ahead);
  }

  void resume(const tls_session& earlier) override {
    ticket_ = dynamic_cast<const session&>(earlier).ticket();
    if (ticket_ == nullptr) fail_with_tls("OpenSSL");
  }

  std::unique_ptr<tls_session> open(int socket) override {
    ssl_ptr made(SSL_new(context_.get()));
    if (made == nullptr || SSL_set_fd(made.get(), socket) != 1) fail_with_tls("OpenSSL");
    if (ticket_ != nullptr && SSL_set_session(made.get(), ticket_.get()) != 1) fail_with_tls("OpenSSL");
    SSL_set_connect_state(made.get());
    return std::make_unique<session>(std::move(made));
  }

 private:
  context_ptr context_;
  ticket_ptr ticket_;
};

}  // namespace

std::unique_ptr<tls_client> make_tls_client() { return std::make_unique<client>(); }

}  // namespace load
