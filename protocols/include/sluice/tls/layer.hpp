#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

#include <sluice/connecting.hpp>
#include <sluice/layer.hpp>
#include <sluice/tls/context.hpp>
#include <sluice/tls/layer_machine.hpp>
#include <sluice/timer.hpp>

namespace sluice::tls {

namespace detail {
class record_io;
struct slow_handshake;
class ssl_session;
class workshop;
enum class outcome : std::uint8_t;
struct problem;
}  // namespace detail

/// What one connection needs beside its context.
struct connection_options {
  /// Clients: who the server has to be, a host name or an IP address. A host name is also sent to the server, which may choose its certificate by
  /// it. Required where the context verifies. Anything else is `errc::bad_option`.
  std::string server_name = {};
  /// Bytes that were received before the layer was put in are the beginning of TLS, as behind a preamble of another protocol. Off: they end the
  /// connection with `errc::plaintext_before_tls`, because whoever can inject bytes in the clear must not speak for the peer (rule T13).
  bool received_is_tls = false;
  /// Told once how the handshake ended: with the layer, after the `connection_made` of the protocol above, or with the error and its detail.
  connect_handler done = {};
};

/// TLS between a transport and a protocol: the protocol above sees a transport like any other, and hears of it when the handshake is done (rule
/// T2). The role is that of the context.
///
///     tcp::server server(loop, wrap<tls::layer>(loop, factory, context));                               // from the first byte on
///     transport.upgrade(std::make_unique<tls::layer>(scheduler, context), std::move(next), unread);     // STARTTLS (rule T11)
///
/// `close()` sends what is queued and the goodbye of TLS, then closes below (rule T4). `write_eof()` says goodbye and goes on reading; TLS 1.2
/// cannot, and `can_write_eof()` is false once the handshake has shown that (rule E5). `info<tls::session>()` tells what was agreed on. Output of one turn
/// is one record if it fits and leaves in one send below. A connection holds no buffers while it is silent.
class layer final : public sluice::layer {
 public:
  /// For `transport::upgrade`.
  layer(sluice::scheduler& owner, context settings, connection_options options = {});
  /// For the start of a connection; see `wrap`.
  layer(sluice::scheduler& owner, protocol_ptr upper, context settings, connection_options options = {});
  ~layer() override;

  bool can_write_eof() const override;

  /// Where TLS stands; for inspection and tests.
  layer_machine::state tls_state() const noexcept { return machine_.current(); }

 private:
  friend class detail::workshop;

  void connection_made(transport& below) override;
  void data_received(const_bytes data) override;
  eof eof_received() override;
  void connection_lost(std::error_code reason) override;

  void stop_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  std::error_code shutdown_output() override;
  progress begin_close(close_kind kind) override;
  void describe(info_query& query) const override;

  // Of a message of TLS itself one part may have come, and nothing can be sent before the rest.
  enum class rest : std::uint8_t {
    not_awaited,
    awaited_to_send,
    awaited_for_goodbye,
    never_comes
  };

  detail::problem begin();
  bool was_injected(const_bytes data) noexcept;
  void take(const_bytes data);
  void advance_handshake(const_bytes data);
  bool is_let_in(const_bytes data);
  void keep_for_later(const_bytes data);
  void come_in();
  void leave_gate() noexcept;
  void shake(detail::record_io& io, const_bytes data);
  void shake_here(const_bytes data);
  bool shake_apart(const_bytes data);
  void step_done(bool was_done);
  void judge_handshake(detail::outcome result, const_bytes data);
  void finish_handshake();
  bool passes_own_check();
  void decrypt(detail::record_io& io);
  // What comes from below is of interest.
  bool listens() const noexcept { return machine_.listens() || awaits_rest(); }
  bool awaits_rest() const noexcept { return rest_ == rest::awaited_to_send || rest_ == rest::awaited_for_goodbye; }
  bool wait_for_rest(rest why);
  void go_on();
  void give_up_rest();
  bool holds_too_much(std::size_t more) noexcept;
  void peer_said_goodbye();
  void say_goodbye();
  void say_goodbye_late();
  void answer_goodbye();
  void wait_for_goodbye();
  void deadline_passed();
  void fail_with(const detail::problem& what);
  void report(const detail::problem& what);
  void tell_failure(const detail::problem& what) noexcept;
  void tell_done(result<transport&> outcome);
  void handshake_is_over(bool done) noexcept;
  void note_activity() noexcept;
  bool release_buffers() noexcept;
  bool is_a_flood(const detail::record_io& io) noexcept;
  std::error_code reason_of_failure() noexcept;
  std::size_t record_limit() noexcept;

  detail::workshop& workshop_;
  context context_;
  std::unique_ptr<connection_options> options_;  // until the handshake is over
  // Of a server, from the client's first byte on; not while a step of the handshake is elsewhere.
  std::unique_ptr<detail::ssl_session> session_;
  std::unique_ptr<detail::slow_handshake> slow_;
  timer deadline_;  // of the handshake, then of the goodbye
  std::uint64_t received_before_ = 0;
  std::uint64_t received_since_ = 0;
  layer* previous_active_ = nullptr;
  layer* next_active_ = nullptr;
  std::uint32_t small_left_ = 0;
  std::uint32_t unread_answers_ = 0;
  std::uint32_t held_meanwhile_ = 0;  // bytes that came while the rest was awaited, and that nobody above wants yet
  layer_machine machine_;
  rest rest_ = rest::not_awaited;
  std::uint8_t events_ = 0;  // since it was silent
  bool counted_ = false;
  bool is_inside_ = false;  // the gate for handshakes
  bool listed_ = false;
  bool active_ = false;
  bool was_paused_ = false;  // below, before the handshake
  bool only_goodbye_left_ = false;
};

}  // namespace sluice::tls
