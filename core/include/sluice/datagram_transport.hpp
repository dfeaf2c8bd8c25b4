#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <sluice/address.hpp>
#include <sluice/bytes.hpp>
#include <sluice/channel.hpp>
#include <sluice/connection_machine.hpp>
#include <sluice/counters.hpp>
#include <sluice/datagram_protocol.hpp>
#include <sluice/detail/datagram_queue.hpp>
#include <sluice/detail/event_node.hpp>
#include <sluice/detail/tenant.hpp>
#include <sluice/flow_control.hpp>
#include <sluice/info.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {

/// What became of a datagram given to `send` or `send_to`.
enum class send_status : std::uint8_t {
  accepted,         ///< Taken. No promise that it arrives, as ever with datagrams; a failure that shows later is `error_received`.
  above_high_mark,  ///< Taken, and writing is paused or more than the high mark is queued: produce no more until `resume_writing`.
  dropped,          ///< Not taken: the transport is closing or closed, or its queue is at `max_write_buffer`. Counted.
  bad_address       ///< Not taken: another family or kind than the transport's, no port, or not its connected peer (rules D6, D7).
};

/// What a datagram that finds `max_write_buffer` used up does.
enum class full_queue : std::uint8_t {
  drop_newest,  ///< It is dropped and counted; what is queued stays.
  abort         ///< It ends the transport with `errc::buffer_limit`.
};

/// Settings of one datagram transport.
struct datagram_options {
  /// Marks of the queue, in bytes; each datagram counts `datagram_transport::overhead` more than it holds, so that empty ones count (rule
  /// F12).
  watermarks write_buffer = {};
  /// The most that is queued, counted in the same way; 0 is no limit (rule F13).
  std::size_t max_write_buffer = 0;
  full_queue when_full = full_queue::drop_newest;
  /// How long `close()` may take to send what is queued before the transport is aborted with `errc::timed_out`; 0 is for ever.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(30);
};

/// One datagram for a channel to send. Views are valid for the call.
struct outgoing_datagram {
  const_bytes data;
  const address* to = nullptr;  ///< Null: to the connected peer.
};

/// One datagram that a channel received.
struct incoming_datagram {
  const_bytes data;
  address from;
  bool truncated = false;  ///< It was longer than the memory for it: not delivered, reported (rule D4).
};

/// Answer of a channel's `send`: how many datagrams it took from the front, and why it did not take the next one: it cannot now, or it
/// never will and `error` says why.
struct datagrams_sent {
  std::size_t taken = 0;
  std::error_code error = {};
};

/// Sends and receives datagrams for a `datagram_protocol`; and the engine: the whole contract of such a transport, in one place.
///
/// For users: what is public. References are valid from `connection_made` until `connection_lost` returns; a `datagram_transport_ref` tells
/// afterwards whether it is still there. All calls belong to the scheduler's thread. Every call is legal in every callback and state, none
/// throws, and none calls back, but for flow control: `send`, `send_to`, `flush` and the end of a `scheduler::cork` may call
/// `pause_writing`, `set_write_buffer_limits` that or `resume_writing`. What is sent in one turn leaves together when it ends, in one
/// system call where the system has one for that; what the system does not take then is queued, datagram by datagram and in order (rule
/// D8).
///
/// For writers of a **channel**, datagrams over a medium of your own: derive, implement the private hooks, which only move datagrams, and
/// hand the channel to `start`. A channel never calls up (the protected functions) from inside a hook; it does so from events of its own,
/// such as a `timer`, or a `deferred_call` that the hook scheduled. Each call up is one turn.
/// `<sluice/testing/datagram_conformance.hpp>` checks one against every rule.
class datagram_transport : public detail::tenant, private detail::event_node {
 public:
  /// The longest datagram that is sent or received, in bytes; a longer one is EMSGSIZE in `error_received`.
  static constexpr std::size_t largest_datagram = 65535;
  /// What each datagram that waits counts beyond its bytes (rule F12).
  static constexpr std::size_t overhead = 64;
  /// The most datagrams that a channel gets or gives in one call.
  static constexpr std::size_t most_per_batch = 64;

  /// Hands a channel over to its scheduler, which owns it from now on, and delivers `connection_made` before returning. If that throws,
  /// the transport is closing with `errc::protocol_threw` (rule X2). Both pointers must not be null (`std::invalid_argument`).
  static datagram_transport& start(std::unique_ptr<datagram_transport> channel, datagram_protocol_ptr upper);

  ~datagram_transport() override;

  /// Sends one datagram, an empty one too (rule D3), to `to`; the memory is the caller's again on return. On a connected transport `to`
  /// must be its peer.
  send_status send_to(const_bytes data, const address& to);
  send_status send_to(std::string_view text, const address& to) { return send_to(as_bytes(text), to); }
  /// As above, to the peer of a connected transport; `bad_address` on any other.
  send_status send(const_bytes data);
  send_status send(std::string_view text) { return send(as_bytes(text)); }
  bool is_connected() const noexcept { return !peer_.empty(); }

  /// Sends now what this turn has collected on any transport, instead of at its end.
  void flush();

  /// Stops receiving, sends what is queued, then `connection_lost` with an empty reason follows in a later turn; at most `close_timeout`
  /// (rule D9). Does nothing on a transport that is closing.
  void close();
  /// Drops what is queued; `connection_lost(errc::aborted)` follows in a later turn.
  void abort();
  /// Tells the protocol, in a later turn, that this transport should end soon: `shutting_down()`, at most once (rule L17).
  void shut_down() final;
  /// True from the first `close`, `abort` or fatal error on, for ever.
  bool is_closing() const noexcept { return machine_.is_closing(); }
  /// The code that `connection_lost` will get or got.
  std::error_code closing_reason() const noexcept { return reason_; }

  /// From the return of this call on no datagram is delivered. What was received by then comes first when reading goes on; what comes
  /// meanwhile waits in the system, which drops what it has no room for (rule D13). Errors are still told. One resume ends any number of
  /// pauses.
  void pause_reading();
  /// Delivery goes on in a later turn.
  void resume_reading();
  /// Not paused by the user and not closing.
  bool is_reading() const noexcept;

  /// `errc::misuse`, with the old values kept, if `low` is above `high`. Takes effect at once: may pause and may resume (rules F2, F7).
  std::error_code set_write_buffer_limits(write_buffer_limits limits);
  watermarks get_write_buffer_limits() const noexcept { return options_.write_buffer; }
  /// What was accepted and the system has not taken, those of the current turn included: bytes, and `overhead` for each datagram.
  std::size_t get_write_buffer_size() const noexcept;
  /// Replaces all settings at once.
  std::error_code set_options(const datagram_options& options);
  const datagram_options& options() const noexcept { return options_; }

  sluice::scheduler& scheduler() const noexcept { return *scheduler_; }
  const datagram_counters& counters() const noexcept { return counters_; }
  /// Unique among all transports of a scheduler, streams included, and never used again.
  std::uint64_t id() const final;

  /// Extra information of type `T` (see info.hpp); nothing if the channel does not know. `local_address` is known from the start and stays.
  template <typename T>
  std::optional<T> info() const {
    return info_query::ask<T>([this](info_query& query) { describe(query); });
  }

  /// Where the transport stands; for inspection and tests.
  connection_machine::state state() const noexcept { return machine_.current(); }
  /// Bit set of `hold`.
  std::uint8_t holds() const noexcept { return holds_; }

 protected:
  /// `peer`: the only address that datagrams go to and come from, empty for a transport that is not connected.
  explicit datagram_transport(sluice::scheduler& owner, const datagram_options& options = {}, const address& peer = {});

  /// At most `most_per_batch` datagrams were received. All lie in `memory`, which does not change during this call; what cannot be
  /// delivered now is copied.
  void received(std::span<const incoming_datagram> batch, const_bytes memory);
  /// A receive failed with an error that ends nothing.
  void receive_failed(std::error_code error);
  /// `send` can take datagrams again: the engine calls it until it refuses or the queue is empty.
  void ready_to_send();
  /// The medium failed for good. The first failure is the one that the protocol hears of.
  void failed(std::error_code error);
  /// The handle that `release` left pending was given back. The object is destroyed before the turn ends: touch nothing afterwards.
  void released();

  /// Datagrams are wanted now: a read loop asks before each further read.
  bool wants_input() const noexcept { return reading_; }
  bool has_queued_output() const noexcept { return !queue_.empty(); }
  const address& connected_peer() const noexcept { return peer_; }

 private:
  // The hooks. They do their work and return; none is called before `start` or after `release`, and none may throw: a failure is a result.

  /// Report datagrams by `received` from now on.
  virtual void start_reading() = 0;
  /// Report none. What is reported all the same is kept.
  virtual void stop_reading() = 0;
  /// Take as many of `batch` as is possible without waiting; never keep a view. An `error` costs the one datagram that it stopped at, and
  /// the engine goes on with the next (rule D8).
  virtual datagrams_sent send_batch(std::span<const outgoing_datagram> batch) = 0;
  /// Datagrams are waiting: call `ready_to_send` when `send_batch` could take more.
  virtual void send_later() = 0;
  /// Datagrams can go to `to`: it is of the family of this channel, and complete. Asked only if it is not connected.
  virtual bool can_send_to(const address& to) const noexcept = 0;
  /// After `connection_lost`: give the handle back. `pending`: call `released()` when it is given.
  virtual progress release() = 0;
  /// Answer what this kind of transport knows, see info.hpp.
  void describe(info_query& query) const override;

  friend class sluice::scheduler;
  friend class datagram_transport_ref;
  friend class detail::datagram_cork;

  // What the scheduler asks of each transport.
  void terminate(std::error_code reason) noexcept final;
  bool is_over() const noexcept final { return machine_.is_over(); }
  std::size_t kept_bytes() const noexcept final { return weight_of(queue_) + weight_of(held_); }
  bool is_held_for_memory() const noexcept final { return (holds_ & static_cast<std::uint8_t>(hold::memory_budget)) != 0; }
  void hold_for_memory(bool on) final { set_hold(hold::memory_budget, on); }
  datagram_transport* as_datagrams() noexcept final { return this; }

  static void on_event(detail::event_node& node, detail::event kind);
  void register_self();
  void make_connection();
  void perform(connection_machine::action action);
  void end_flow() noexcept;
  void stop_everything() noexcept;
  void abort_with(std::error_code reason) noexcept;
  void start_close_deadline() noexcept;
  void run_pending();
  void tell_shutdown();
  void finish();
  void end_of_turn() noexcept;

  void take_in(const incoming_datagram& each);
  void deliver(const_bytes data, const address& from);
  void keep(const incoming_datagram& each) noexcept;
  void deliver_held();
  bool may_deliver() const noexcept { return holds_ == 0 && machine_.delivers_input(); }
  void set_hold(hold which, bool on);
  void update_reading();

  send_status send_datagram(const_bytes data, const address* to);
  bool remember(const_bytes data, const address* to) noexcept;
  send_status send_otherwise(const_bytes data, const address* to);
  send_status drop_datagram() noexcept;
  send_status status_after_send() const noexcept;
  void send_corked(std::span<const outgoing_datagram> batch) noexcept;
  void after_send();
  std::size_t send_what_goes(std::span<const outgoing_datagram> batch) noexcept;
  bool enqueue(const outgoing_datagram& each) noexcept;
  bool make_room(std::size_t weight) noexcept;
  bool send_some_queued();
  void drop_output() noexcept;
  bool output_empty() const noexcept { return queue_.empty() && corked_ == 0; }
  void evaluate_flow();
  void note_error(std::error_code error) noexcept;
  void tell_errors();
  void tell_error(std::error_code error);

  template <typename F>
  bool guarded(const char* callback, F&& function) noexcept;
  static std::size_t weight_of(const detail::datagram_queue& queue) noexcept { return queue.bytes() + queue.count() * overhead; }

  sluice::scheduler* scheduler_;
  datagram_protocol_ptr protocol_;
  datagram_options options_;
  address peer_;
  detail::datagram_queue queue_;  // what the channel refused
  detail::datagram_queue held_;   // what was received while reading is held
  datagram_counters counters_;
  std::error_code reason_;
  std::array<std::error_code, 4> errors_;  // of sending, to be told in a turn of their own
  std::size_t corked_ = 0;                 // datagrams of this turn
  std::size_t corked_bytes_ = 0;
  std::uint32_t slot_ = 0;
  connection_machine machine_;
  flow_control_machine flow_;
  std::uint8_t holds_ = 0;
  bool reading_ = false;  // the channel was told to read
  bool registered_ = false;
  bool shutdown_asked_ = false;
  bool shutdown_told_ = false;
};

}  // namespace sluice
