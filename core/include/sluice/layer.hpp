#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <system_error>

#include <sluice/protocol.hpp>
#include <sluice/stream_transport.hpp>

namespace sluice {

/// A protocol below, a transport above: put between a transport and a protocol, it sees and may change what passes both ways.
///
/// As it stands it changes nothing. Override `data_received` (end it by `received`) to change input, `send` to change output, and
/// `connection_made` to begin with a handshake: do not call the base's then, but `established()` when the handshake is done. The upper
/// protocol runs on the same engine as over a socket, so the whole contract holds through any stack of layers. Of the options below, those that
/// bound output hold above the layer, too, unless the layer was given options of its own before: `write_buffer`, `max_write_buffer`,
/// `close_timeout`.
///
/// Owned by the transport below, as its protocol; owns the protocol above.
class layer : public protocol, public stream_transport {
 public:
  /// For `upgrade`, which brings the upper protocol along.
  explicit layer(sluice::scheduler& owner);
  /// For use at the start of a connection: `upper` gets `connection_made` once the layer is established.
  layer(sluice::scheduler& owner, protocol_ptr upper);
  ~layer() override;

  /// True: what a layer makes of bytes may be any. One that makes text, or leaves them as they are, overrides it.
  bool needs_every_byte() const noexcept override { return true; }
  /// What the transport below says; before there is one, true.
  bool can_write_eof() const override { return lower_ == nullptr ? !is_established() : lower_->can_write_eof(); }

 protected:
  /// The transport below. Valid from `connection_made` until `connection_lost` returns.
  transport& lower() const noexcept { return *lower_; }

  /// The handshake is done: the upper protocol gets `connection_made`. Call it once, from a callback of the transport below or a timer. It
  /// comes too late, and does nothing, if this layer or the transport below was closed, aborted or has failed since `connection_made`.
  /// `paused`: reading is paused then, as if the upper protocol had asked for it before.
  void established(bool paused = false);
  /// True once `established()` has made the upper protocol, for ever.
  bool is_established() const noexcept { return has(protocol_told); }
  /// The layer cannot go on, in its handshake or later: both sides end with `error`, what the upper protocol wrote is dropped. With
  /// `close_kind::graceful`, which is for the handshake, the transport below still sends what the layer wrote: a last word about the failure.
  void fail(std::error_code error, close_kind below = close_kind::abort);

  /// The transport below is made. The default is `established()`. An override keeps the base's first line: `layer::attach(below)`.
  void connection_made(transport& below) override;
  void attach(transport& below) noexcept;

  void data_received(const_bytes data) override;
  eof eof_received() override;
  backpressure pause_writing() override;
  void resume_writing() override;
  shutdown_action shutting_down() override;
  /// An override that changes the reason (truncation, say) passes the new one to the base's.
  void connection_lost(std::error_code reason) override;

  // The channel's hooks, each with the meaning that it has in `stream_transport`. `send` hands down what the transport below takes, and
  // nothing while that is above its mark; an override that adds bytes of its own (headers, records) keeps to that. One that takes nothing for
  // another reason calls `ready_to_send` when that has passed.
  void start_reading() override;
  void stop_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  std::error_code shutdown_output() override;
  progress begin_close(close_kind kind) override;
  std::chrono::milliseconds close_time() const noexcept override;
  progress release() override;
  void describe(info_query& query) const override;

  /// What `send` may hand down now: false while the transport below is above its mark.
  bool lower_takes_output() const noexcept { return !lower_paused_; }

 private:
  friend class stream_transport;
  void park(std::unique_ptr<detail::retired_protocols> old, protocol_ptr upper) noexcept;
  void end_parked(std::error_code reason);
  bool comes_too_late() const noexcept;
  void take_options(const stream_options& below) noexcept;
  void flush_below();
  void send_more();

  transport* lower_ = nullptr;
  std::uint64_t sent_at_last_ = 0;                     // bytes, when it was put off
  std::unique_ptr<detail::retired_protocols> parked_;  // until established: who is told if that fails
  protocol_ptr upper_;                                 // until established
  bool lower_paused_ = false;
  bool was_closing_ = false;  // the transport below, when it was attached
};

/// A factory that puts a layer of type `Layer`, made from the scheduler, the upper protocol and `args`, in front of what `upper` makes.
template <typename Layer, typename... Args>
protocol_factory wrap(scheduler& owner, protocol_factory upper, Args... args) {
  return [&owner, upper = std::move(upper), args...]() -> protocol_ptr {
    protocol_ptr made = upper();
    if (made == nullptr) return nullptr;
    return std::make_unique<Layer>(owner, std::move(made), args...);
  };
}

}  // namespace sluice
