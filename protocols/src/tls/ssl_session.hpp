#pragma once

#include <cstddef>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include <sluice/bytes.hpp>
#include <sluice/tls/session.hpp>

#include "tls/context_state.hpp"
#include "tls/openssl.hpp"
#include "tls/problem.hpp"
#include "tls/workshop.hpp"

namespace sluice::tls::detail {

// How far a call of OpenSSL came.
enum class outcome : std::uint8_t {
  done,
  wants_input,
  peer_closed,  // the peer's goodbye was read
  failed        // `ssl_session::take_problem` says why; the session is of no use any more
};

// OpenSSL's part of one connection. Each call reads and writes records of the `record_io` that it is given, leaves OpenSSL's error queue empty and
// runs no code of the program's.
class ssl_session {
 public:
  // Null for want of memory. `name` is what a client wants to talk to.
  static std::unique_ptr<ssl_session> make(std::shared_ptr<context_state> state, workshop& shop, const std::string& name) noexcept;
  ssl_session(std::shared_ptr<context_state> state, std::string name);
  ssl_session(const ssl_session&) = delete;
  ssl_session& operator=(const ssl_session&) = delete;
  ~ssl_session();

  outcome handshake(record_io& io) noexcept;
  // The same on another thread, where the workshop must not be touched: takes records off `input`, puts records to `output`. What is left in `input`
  // came behind the handshake. Afterwards, back in the loop's thread, `use` goes first of all.
  outcome handshake_apart(std::string& input, std::string& output) noexcept;
  void use(workshop& shop) noexcept;
  // Puts the plaintext of one record to `into`, which has room for one.
  outcome read(record_io& io, mutable_bytes into, std::size_t& n) noexcept;
  // One record; `data` is at most 16 KiB.
  outcome write(record_io& io, const_bytes data) noexcept;
  outcome say_goodbye(record_io& io) noexcept;

  // Why a call failed.
  problem take_problem() noexcept;

  // OpenSSL gives its memory for records back after each of them, as it does at first, or keeps it from now on.
  void keep_buffers() noexcept { SSL_clear_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS); }
  // False if part of a record is in there.
  bool release_buffers() noexcept {
    SSL_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
    return SSL_free_buffers(ssl_.get()) == 1;
  }
  // Behind the handshake: one part of a message of TLS itself has come, and nothing can be sent before the rest.
  bool is_inside_message() const noexcept { return SSL_in_init(ssl_.get()) == 1; }
  bool is_tls1_3() const noexcept { return SSL_version(ssl_.get()) == TLS1_3_VERSION; }
  bool was_resumed() const noexcept { return SSL_session_reused(ssl_.get()) == 1; }
  session describe() const;

  // For the callbacks.
  static ssl_session& of(const SSL* ssl) noexcept { return *static_cast<ssl_session*>(SSL_get_ex_data(ssl, 0)); }
  context_state& state() const noexcept { return *state_; }
  const context_set& contexts() const noexcept { return *contexts_; }
  // Whom a client wants to talk to, by what a certificate can be for; of a server, what the client asked for.
  const std::string& name() const noexcept { return name_; }
  void set_name(std::string asked) noexcept { name_ = std::move(asked); }
  // To come back with.
  void keep(ssl_session_ptr fresh) noexcept;
  void note_certificate_request() noexcept { was_asked_ = true; }
  void set_problem(problem what) noexcept {
    if (!problem_.code) problem_ = std::move(what);
  }
  void note_renegotiation() noexcept { renegotiation_ = true; }
  // The peer's certificate does not hold. True if the program decides what follows.
  bool tolerates(problem what) noexcept;
  // Why it does not; empty if it does, or if nobody looked.
  const problem& unverified() const noexcept { return unverified_; }

 private:
  bool set_up(workshop& shop) noexcept;
  bool set_up_client() noexcept;
  outcome judge(int result) noexcept;
  void explain_failure() noexcept;

  std::shared_ptr<context_state> state_;
  std::shared_ptr<const context_set> contexts_;
  std::string name_;
  ssl_ptr ssl_;
  problem problem_;
  problem unverified_;
  std::time_t sessions_end_ = 0;  // of a client that came back: when that ends
  bool renegotiation_ = false;
  bool was_asked_ = false;  // for a certificate
  bool is_broken_ = false;
};

}  // namespace sluice::tls::detail
