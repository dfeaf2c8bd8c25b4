#pragma once

#include <cstdint>

namespace sluice {

/// The life of one stream connection as a pure value: no I/O, no callbacks; each event returns the one thing that has to be done next.
///
/// Reading being held and output being queued are the engine's facts and arrive as arguments; everything else about where a connection
/// stands is in `state`.
class connection_machine {
 public:
  enum class state : std::uint8_t {
    connecting,  ///< The protocol has not been told yet.
    open,        ///< Both directions.
    peer_ended,  ///< The peer's end of input was delivered and the protocol keeps its own output open.
    ending,      ///< `write_eof()` was called; queued output goes first.
    ended,       ///< The end of our output is with the channel; input goes on.
    both_ended,  ///< As `ending` or `ended`, and the peer's end is being delivered: what follows its answer is a close (rule E6).
    flushing,    ///< `close()`; queued output goes first, input is off.
    draining,    ///< A write failed: output is gone, input goes on until it ends or the close timeout passes (rule W7).
    closing,     ///< The channel says its goodbye.
    finishing,   ///< `connection_lost` is posted.
    lost,        ///< `connection_lost` was delivered; the channel may linger (rule C6).
    releasing,   ///< The channel gives its handle back.
    released     ///< Nothing is left.
  };

  /// What the engine does next. At most one thing per event.
  enum class action : std::uint8_t {
    none,
    deliver_eof,   ///< Call `eof_received` and report its answer with `eof_answered`.
    end_output,    ///< Queue is empty: call the channel's `shutdown_output`, then report `output_ended`.
    flush_output,  ///< Stop input; when the queue is empty report `drained`.
    begin_close,   ///< Stop input and call the channel's `begin_close`.
    drain_input,   ///< Drop the queue, go on reading for at most the close timeout.
    abort,         ///< Stop input, drop the queue, tell the channel to close hard, and post the finish.
    post_finish,   ///< Post `connection_lost`.
    deliver_lost,  ///< Call `connection_lost`.
    release        ///< Call the channel's `release`.
  };

  /// Which ways bytes can go at all. A connection that has one way only starts where the other one has ended, and ends by the same rules.
  enum class ways : std::uint8_t {
    both,
    input_only,  ///< Starts as `ended`: the peer's end of input always closes it (rule E10).
    output_only  ///< Starts as `peer_ended`: `write_eof()` closes it (rule P3).
  };

  state current() const noexcept { return state_; }

  action made(ways has = ways::both) noexcept;                     ///< `connection_made` is about to be delivered.
  action eof_seen() noexcept;                                      ///< The peer's end of input is to be delivered now.
  action eof_answered(bool keep_open, bool queue_empty) noexcept;  ///< What `eof_received` returned.
  action write_eof(bool queue_empty) noexcept;                     ///< The user ends the output.
  action drained() noexcept;                                       ///< The queue has become empty.
  action output_ended() noexcept;                                  ///< The channel took the end of the output.
  action close(bool queue_empty) noexcept;                         ///< The user closes gracefully.
  action abort() noexcept;                                         ///< The user aborts, a callback threw, a deadline passed.
  action read_failed() noexcept;                                   ///< The channel is dead.
  action write_failed(bool can_read) noexcept;                     ///< A send failed; `can_read`: input is neither held nor at its end.
  action goodbye_said() noexcept;                                  ///< The channel's `begin_close` is complete.
  action finish() noexcept;                                        ///< The posted finish runs.
  action lost_delivered(bool keep_descriptor) noexcept;            ///< `connection_lost` returned; `keep_descriptor`: linger first.
  action linger_over() noexcept;                                   ///< Enough of lingering.
  action released() noexcept;                                      ///< The channel gave its handle back.

  /// From the first close, abort, fatal or write error on (rule C3).
  bool is_closing() const noexcept { return state_ >= state::flushing; }
  /// `write` takes bytes.
  bool takes_output() const noexcept { return state_ == state::open || state_ == state::peer_ended; }
  /// The user has ended the output and not closed: a further `write` is misuse (rule W4).
  bool output_was_ended() const noexcept { return state_ >= state::ending && state_ <= state::both_ended; }
  /// Received bytes go to the protocol.
  bool delivers_input() const noexcept {
    return state_ == state::open || state_ == state::ending || state_ == state::ended || state_ == state::draining;
  }
  /// The protocol has been told of the connection and not yet of its loss.
  bool is_live() const noexcept { return state_ >= state::open && state_ <= state::finishing; }
  /// A callback may no longer be made.
  bool is_over() const noexcept { return state_ >= state::lost; }

 private:
  action end_now() noexcept;  // abort from any live state

  state state_ = state::connecting;
};

const char* to_string(connection_machine::state value) noexcept;

}  // namespace sluice
