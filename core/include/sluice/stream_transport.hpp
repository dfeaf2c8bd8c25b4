#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>

#include <sluice/bytes.hpp>
#include <sluice/channel.hpp>
#include <sluice/connection_machine.hpp>
#include <sluice/detail/chunk.hpp>
#include <sluice/detail/event_node.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/flow_control.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/transport.hpp>

namespace sluice {

/// Answer of a channel's `send`: how many bytes it took from the front, less than all meaning "not now"; or a failure, after which nothing
/// more is ever sent. Two words, so that it travels in registers.
class send_result {
 public:
  /// `taken` bytes.
  send_result(std::size_t taken = 0) noexcept : value_(static_cast<std::ptrdiff_t>(taken)) {}
  /// A failure.
  send_result(std::error_code error) noexcept : value_(error.value()), category_(&error.category()) {}

  bool failed() const noexcept { return category_ != nullptr; }
  std::size_t taken() const noexcept { return category_ == nullptr ? static_cast<std::size_t>(value_) : 0; }
  std::error_code error() const noexcept {
    return category_ == nullptr ? std::error_code() : std::error_code(static_cast<int>(value_), *category_);
  }
  /// All of `total` bytes were taken.
  bool took(std::size_t total) const noexcept { return category_ == nullptr && static_cast<std::size_t>(value_) == total; }

 private:
  std::ptrdiff_t value_;
  const std::error_category* category_ = nullptr;
};

/// Settings that many connections share, as those of one server do; copying it copies a pointer. One thread only.
using shared_stream_options = detail::local_ptr<const stream_options>;

/// The engine: the whole contract of a stream transport, in one place. Derive from it to make a **channel**, a transport over a medium of
/// your own, and implement the private hooks, which only move bytes.
///
/// The engine owns unsent output, flow control, corking, closing with its deadlines, half-close, protocol switches, and the boundary that
/// no exception passes. A channel never calls up (the protected functions below) from inside a hook; it does so from events of its own: a
/// readiness callback, a `timer`, or a `deferred_call` that the hook scheduled, which cannot fail. Each call up is one turn.
/// `examples/custom_transport.cpp` is a complete channel, and `<sluice/testing/transport_conformance.hpp>` checks one against every rule.
class stream_transport : public transport, private detail::event_node {
 public:
  /// Hands a channel over to its scheduler, which owns it from now on, and delivers `connection_made` before returning. If that throws,
  /// the transport is closing with `errc::protocol_threw` (rule X2). Both pointers must not be null (`std::invalid_argument`). Throws
  /// `std::system_error` (`errc::closed`) once the scheduler's destructor has begun, so that a protocol that always connects again comes to
  /// an end (rule L14).
  static transport& start(std::unique_ptr<stream_transport> channel, protocol_ptr upper);

  ~stream_transport() override;

  using transport::write;
  write_status write(const_bytes data) final;
  write_status writev(std::span<const const_bytes> parts) final;
  std::error_code send_file(descriptor file, std::uint64_t offset, std::uint64_t count, send_file_handler done) final;
  std::error_code write_eof() final;
  bool can_write_eof() const override { return false; }
  void flush() final;
  void close() final;
  void abort() final;
  void reset() final;
  void shut_down() final;
  bool is_closing() const final { return machine_.is_closing(); }
  std::error_code closing_reason() const final;
  void pause_reading() final;
  void resume_reading() final;
  void hold_for_sink(bool on) final;
  bool is_reading() const final;
  std::error_code set_write_buffer_limits(write_buffer_limits limits) final;
  watermarks get_write_buffer_limits() const final { return options_->write_buffer; }
  std::size_t get_write_buffer_size() const final { return queue_.size() + corked() + unread_of_file(); }
  std::error_code set_options(const stream_options& options) final;
  const stream_options& options() const final { return *options_; }
  std::error_code set_protocol(protocol_ptr next, const_bytes unread = {}) final;
  std::error_code upgrade(std::unique_ptr<layer> between, protocol_ptr next, const_bytes unread = {}) final;
  sluice::scheduler& scheduler() const final { return *scheduler_; }
  const stream_counters& counters() const final { return counters_; }
  std::uint64_t id() const final { return scheduler_->slots_->id(slot_); }

  /// Where the connection stands; for inspection and tests.
  connection_machine::state state() const noexcept { return machine_.current(); }
  /// Bit set of `hold`.
  std::uint8_t holds() const noexcept { return holds_; }

 protected:
  explicit stream_transport(sluice::scheduler& owner);
  stream_transport(sluice::scheduler& owner, const shared_stream_options& options);

  /// Memory for the next bytes: the scheduler's, valid until the turn of the following `received(n)` ends, or the protocol's own (rule B1).
  /// Empty if there is none: the protocol gave none and the connection is ending; do not read then. `hint`: bytes expected, 0 unknown.
  mutable_bytes receive_buffer(std::size_t hint = 0) {
    return input_is_plain() ? scheduler_->cork_.receive_buffer() : special_receive_buffer(hint);
  }

  /// `n` bytes are in the buffer that the last `receive_buffer` returned; 0 is ignored (rule R8).
  void received(std::size_t n);
  /// As above for bytes that lie in memory of the channel's own; valid for this call. What cannot be delivered now is copied.
  void received(const_bytes data);
  /// The peer ended its output. Repetitions are ignored.
  void received_eof();

  /// `send` can take bytes again: the engine calls it until it refuses or the queue is empty.
  void ready_to_send();
  /// For channels that send the chunks of `send_later` by themselves: the next `n` bytes are gone.
  void output_drained(std::size_t n);

  /// What the channel has not taken is dropped, the bytes of this turn included, and the connection goes on; may call `resume_writing`.
  void discard_output();

  /// The medium failed in a way that ends both directions. The first failure is the one that the protocol hears of (rule C7).
  void failed(std::error_code error);
  /// The goodbye that `begin_close` left pending has been said.
  void closed();
  /// The handle that `release` left pending was given back. The object is destroyed before the turn ends: touch nothing afterwards.
  void released();

  /// Input is wanted now: a read loop asks before each further read.
  bool wants_input() const noexcept { return has(channel_reading); }
  /// Input is wanted, and `receive_buffer` returns the scheduler's memory without asking anybody: for a channel that has a shorter way
  /// then.
  bool input_is_plain() const noexcept { return (attention_ & special_input) == 0; }
  /// `ready_to_send` has something to do: bytes are queued, or a file that `send_from_file` takes.
  bool has_queued_output() const noexcept { return !queue_.empty() || has(file_waits); }
  /// A file is being sent, so that nothing else can be written (rule H1).
  bool sends_file() const noexcept { return has(sending_file); }
  /// What the protocol says of itself; see `protocol::needs_every_byte`.
  bool protocol_needs_every_byte() const noexcept { return protocol_ != nullptr && protocol_->needs_every_byte(); }
  /// The peer's end of input was reported.
  bool input_ended() const noexcept { return has(peer_done); }

 private:
  // The hooks. They do their work and return; none is called before `start` or after `release`, and none may throw: a failure is a result.

  /// Report input by `received` and `received_eof` from now on.
  virtual void start_reading() = 0;
  /// Report none. Go on noticing that the medium fails, where that is possible (rule R7). Input that is reported all the same is kept.
  virtual void stop_reading() = 0;
  /// Take as much of `parts` (at most 128, none empty) as is possible without waiting. Never keep a view.
  virtual send_result send(std::span<const const_bytes> parts) = 0;
  /// Output is waiting. Either call `ready_to_send` when `send` could take more, or send `newly_queued` (what was added since the last
  /// call; may be empty; valid until `output_drained` has covered it) and report it by `output_drained`; always the same way. Bytes
  /// that `send` did not take and the channel sends from a copy all the same stay queued: `output_drained` reports them, and `send` takes
  /// nothing meanwhile.
  virtual void send_later(std::span<const const_bytes> newly_queued) = 0;
  /// As `send`, for at most `most` bytes of an open file from `offset` on, where the medium can take them from there: only called while
  /// nothing is queued. No byte taken is "not now": `ready_to_send` has to be called as for `send_later`. `errc::file_too_short` where the
  /// file has no more. The default, `errc::not_supported`, makes the engine read the file and call `send`.
  virtual send_result send_from_file(int file, std::uint64_t offset, std::size_t most);
  /// All output was taken: tell the peer the end of it. Called once, where `can_write_eof()`.
  virtual std::error_code shutdown_output();
  /// Say goodbye. `pending`: call `closed()` when it is said. May be called a second time, with `abort` or `reset`, before that.
  virtual progress begin_close(close_kind kind) = 0;
  /// How long a graceful close may take from now on, asked when it begins; 0 is for ever. The default is `stream_options::close_timeout`: a
  /// medium whose speed is known can tell from what is left.
  virtual std::chrono::milliseconds close_time() const noexcept;
  /// After `connection_lost`: give the handle back. `pending`: call `released()` when it is given.
  virtual progress release() = 0;
  /// Giving the handle back with unread input would destroy output on its way: keep it for `stream_options::linger` (rule C6).
  virtual bool lingers() const;
  /// What waits in the channel for its place among the queued bytes and is not bytes, in bytes' worth: flow control counts both together.
  virtual std::size_t queued_beside_bytes() const noexcept;
  /// Which ways bytes can go, for the whole life of the channel: `start_reading` is never called where there is no input, `send` never where
  /// there is no output, and a write there is misuse.
  virtual connection_machine::ways ways() const noexcept;
  /// Answer what this kind of transport knows, see info.hpp.
  void describe(info_query& query) const override;

  std::uint32_t slot() const noexcept final { return slot_; }
  void add(end_watch& added) final;
  void terminate(std::error_code reason) noexcept final;
  bool is_over() const noexcept final { return machine_.is_over(); }
  bool has_owner() const noexcept final { return has(in_layer); }
  std::size_t kept_bytes() const noexcept final;
  bool is_held_for_memory() const noexcept final { return (holds_ & static_cast<std::uint8_t>(hold::memory_budget)) != 0; }
  void hold_for_memory(bool on) final { set_hold(hold::memory_budget, on); }
  transport* as_stream() noexcept final { return this; }

  friend class layer;
  friend class sluice::scheduler;
  friend class transport_ref;

  struct pending_switch;
  struct rare_state;
  struct outgoing_file;
  enum flag : std::uint16_t {
    channel_reading = 1,   // the channel was told to read
    peer_done = 2,         // the peer's end of input was reported
    into_protocol = 4,     // the buffer of the read under way is the protocol's
    owns_protocol = 8,     // protocol_ is deleted, not only lent
    in_layer = 16,         // owned by the transport below
    misuse_told = 32,      // a write after write_eof was reported (rule W4)
    buffered = 64,         // protocol_ is a buffered_protocol
    sending_file = 128,    // rare_->file has bytes that were not taken
    registered = 256,      // has a slot
    shutdown_asked = 512,  // shut_down() was called (rule L17)
    shutdown_told = 1024,  // shutting_down() was called
    protocol_told = 2048,  // connection_made() was called
    file_waits = 4096,     // for the channel to take it, without being read here
    eof_asked = 8192       // write_eof() was called before connection_made (rule E3)
  };
  static constexpr std::uint8_t special_input = 1;  // bits of attention_; neither: nothing special is going on
  static constexpr std::uint8_t special_output = 2;

  static void on_event(detail::event_node& node, detail::event kind);
  void adopt(protocol_ptr upper) noexcept;
  protocol_ptr take_protocol() noexcept;
  void register_self();
  void make_connection(bool closing = false);

  mutable_bytes special_receive_buffer(std::size_t hint);
  mutable_bytes shared_receive_buffer() const noexcept;
  mutable_bytes protocol_buffer(std::size_t hint);
  void received_specially(std::size_t n);
  void deliver(const_bytes data);
  void deliver_once(const_bytes& data);
  void fill_protocol_buffer(const_bytes& data);
  void deliver_held();
  void deliver_held_load();
  void fill_from_held();
  std::size_t take_held(mutable_bytes to) noexcept;
  void keep(const_bytes data) noexcept;
  void discard_lingering(std::size_t n);
  void deliver_eof();
  bool may_deliver_eof() const noexcept;
  bool may_deliver() const noexcept { return holds_ == 0 && machine_.delivers_input(); }
  bool may_be_held() const noexcept;
  bool has_held_input() const noexcept;

  write_status write_otherwise(const_bytes data);
  write_status write_specially(std::span<const const_bytes> parts);
  write_status write_through(std::span<const const_bytes> parts);
  write_status drop_write() noexcept;
  write_status status_after_send() const noexcept;
  bool send_parts(std::span<const const_bytes> parts);
  send_result send_batch(std::span<const const_bytes> parts);
  void sent_short(std::span<const const_bytes> parts, send_result result);
  void enqueue(std::span<const const_bytes> parts, std::size_t skip);
  void send_corked(detail::cork::record& record) noexcept;
  void sent_corked_short(detail::cork::record& record, send_result result) noexcept;
  void send_corked_parts(detail::cork::record& record) noexcept;
  void drop_output() noexcept;
  std::size_t corked() const noexcept;
  bool output_empty() const noexcept { return queue_.empty() && cork_slot_ == 0 && !has(sending_file); }
  void after_drain();
  void write_eof_as_asked();

  std::error_code begin_file(descriptor file, std::uint64_t offset, std::uint64_t count, send_file_handler done);
  std::size_t unread_of_file() const noexcept;
  void continue_file();
  void offer_file();
  void read_file();
  void start_reading_file();
  void file_was_read();
  void end_file(std::error_code error) noexcept;
  void tell_file();
  write_status refuse_beside_file() noexcept;

  void evaluate_flow();
  void pause_protocol();
  void resume_protocol();

  void perform(connection_machine::action action);
  void begin_goodbye();
  void end_flow() noexcept;
  void stop_everything();
  void end_output();
  void drain_input();
  void abort_with(std::error_code reason);
  void fail_output(std::error_code error);
  void set_reason(std::error_code reason) noexcept;
  void tell_shutdown();
  void finish();
  void finish_from_below(std::error_code reason);
  void deadline_passed();
  void watch_deadlines() noexcept;
  void stop_watching() noexcept;
  void look_at_deadlines();
  void wait_for_deadlines();
  bool watches_deadlines() const noexcept;
  void ask_to_end();
  void run_pending();
  void start_deadline(std::chrono::milliseconds delay) noexcept;
  void end_of_turn() noexcept;

  void set_hold(hold which, bool on);
  bool has(flag which) const noexcept { return (flags_ & which) != 0; }
  void set(flag which, bool on = true) noexcept { flags_ = static_cast<std::uint16_t>(on ? flags_ | which : flags_ & ~which); }
  void update() noexcept;  // recomputes what is derived from state, queue and holds
  void update_reading();
  std::error_code schedule_switch(std::unique_ptr<layer> between, protocol_ptr next, const_bytes unread);
  void apply_switch();
  void keep_unread(pending_switch& change) noexcept;
  void drop_switch() noexcept;
  void tell_watches() noexcept;
  void forget_watches() noexcept;
  rare_state& rare();

  template <typename F>
  bool guarded(const char* callback, F&& function) noexcept;
  template <typename F>
  void call(const char* callback, F&& function) noexcept;
  void threw(const char* callback) noexcept;
  void after_callback() noexcept;
  bool switch_pending() const noexcept;

  // Every byte here is paid by each idle connection; `flags_` is first because it fits behind the last member of the base.
  std::uint16_t flags_ = 0;
  sluice::scheduler* scheduler_;
  protocol* protocol_ = nullptr;
  shared_stream_options options_;
  detail::chunk_queue queue_;
  std::unique_ptr<rare_state> rare_;
  stream_counters counters_;
  const std::error_category* reason_category_ = nullptr;
  int reason_value_ = 0;  // of the code, if there is a category; else, after the end: bytes discarded since (rule C6)
  std::uint32_t slot_ = 0;
  connection_machine machine_;
  flow_control_machine flow_;
  std::uint8_t holds_ = 0;
  std::uint8_t attention_ = special_input | special_output;
  std::uint8_t callback_depth_ = 0;
  std::uint8_t cork_slot_ = 0;
  close_kind kind_ = close_kind::abort;
};

}  // namespace sluice
