#pragma once

#include <cstdint>

namespace sluice::tls {

/// What TLS itself says and hears on one connection, as a pure value: the handshake, the two goodbyes (`close_notify`), and the ends that come
/// without one. What the upper protocol is told and when is the engine's; each event returns the one thing to do next.
class layer_machine {
 public:
  enum class state : std::uint8_t {
    handshaking,  ///< Nothing of the application's has passed.
    open,         ///< Both directions.
    peer_ended,   ///< The peer said goodbye; this end may still send (rule T7).
    ended,        ///< This end said goodbye and still listens.
    both_ended,   ///< Both did.
    closing,      ///< This end said goodbye, discards what comes, and waits for the peer's goodbye (rule T4).
    closed,       ///< TLS has nothing more to say: what is below is closed.
    failed        ///< It broke, and the peer was told if that was possible.
  };

  enum class action : std::uint8_t {
    none,
    establish,          ///< The upper protocol's connection is made.
    deliver_eof,        ///< The input has ended in good order.
    notify,             ///< Say goodbye; go on reading.
    notify_and_wait,    ///< Say goodbye and wait for the peer's.
    wait,               ///< Wait for the peer's goodbye.
    notify_and_close,   ///< Say goodbye and close below.
    close_below,        ///< Close below.
    abort_below,        ///< There is nobody to say anything to.
    report_truncation,  ///< The input was cut off (rule T6).
    report_cut,         ///< The connection ended inside the handshake.
    report_failure      ///< Tell the upper protocol, or whoever waits for the handshake.
  };

  state current() const noexcept { return state_; }

  action handshake_done() noexcept;                         ///< Both sides have finished.
  action peer_notified() noexcept;                          ///< The peer's goodbye came.
  action lower_ended(bool truncation_is_allowed) noexcept;  ///< The transport below has no more input.
  action end_output() noexcept;                             ///< `write_eof`, everything was sent.
  action close(bool wait_for_peer) noexcept;                ///< `close`, everything was sent.
  action failure() noexcept;                                ///< OpenSSL, a deadline, or a check of ours says no.

  /// Records can be exchanged.
  bool may_send() const noexcept { return state_ == state::open || state_ == state::peer_ended; }
  /// What comes from below is of interest.
  bool listens() const noexcept { return state_ != state::peer_ended && state_ < state::closed && state_ != state::both_ended; }

 private:
  state state_ = state::handshaking;
};

const char* to_string(layer_machine::state value) noexcept;

}  // namespace sluice::tls
