#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <sluice/bytes.hpp>
#include <sluice/counters.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/detail/tenant.hpp>
#include <sluice/flow_control.hpp>
#include <sluice/info.hpp>
#include <sluice/protocol.hpp>

namespace sluice {

class end_watch;
class layer;
class scheduler;

/// What became of the bytes given to `write` (rule W9). Accepted bytes are the transport's to deliver: never write them again.
enum class write_status : std::uint8_t {
  accepted,         ///< Taken. No promise that the system has them yet.
  above_high_mark,  ///< Taken, and writing is paused or more than the high mark is queued: produce no more until `resume_writing`.
  dropped           ///< Not taken: the transport is closing, closed, failed or its output was ended. Counted, never an exception.
};

/// Told once how sending a file ended: success, or why not all of it went, and how many of its bytes were taken (rule H1).
using send_file_handler = std::function<void(std::error_code error, std::uint64_t bytes)>;

/// As the count of `send_file`: everything from the offset on.
inline constexpr std::uint64_t to_the_end = static_cast<std::uint64_t>(-1);

/// Settings of one stream transport. Times are measured on the scheduler's clock.
struct stream_options {
  /// Marks of the output, in bytes; see `set_write_buffer_limits`.
  watermarks write_buffer = {};
  /// Above this many unsent bytes the connection is aborted with `errc::buffer_limit`; 0 is no limit (rule F13).
  std::size_t max_write_buffer = 0;
  /// How long `close()` may take to deliver what is queued before the connection is aborted with `errc::timed_out`; 0 is for ever (rule
  /// C4).
  std::chrono::milliseconds close_timeout = std::chrono::seconds(30);
  /// How long a descriptor with unread input is kept after `connection_lost`, so that the tail of the output is not lost to a reset; 0
  /// closes it at once (rule C6).
  std::chrono::milliseconds linger = std::chrono::seconds(1);
  /// How long a new connection may send nothing at all before it is aborted with `errc::first_byte_timeout`; 0 is for ever. As the next
  /// three, it runs until the transport is closing, costs nothing per event, and is found at most an eighth late, never early (rule C8).
  std::chrono::milliseconds first_byte_timeout{0};
  /// How long no byte may pass in either direction before the connection is aborted with `errc::idle_timeout`; 0 is for ever.
  std::chrono::milliseconds idle_timeout{0};
  /// How long output may wait of which not one byte is taken before the connection is aborted with `errc::write_stalled`; 0 is for ever.
  std::chrono::milliseconds write_stall_timeout{0};
  /// How long the connection may last before its protocol is asked to end it, as `shut_down()` does; `close_timeout` later, unless that is
  /// 0, it is aborted with `errc::lifetime_over`. 0 is for ever.
  std::chrono::milliseconds lifetime{0};
  /// The peer's end of input is delivered at once also while reading is held, if nothing came before it that is not delivered yet and the
  /// medium can tell. Otherwise, and always without this option, it is delivered when reading goes on (rule R7).
  bool report_hangup_while_paused = false;
  /// The most that one read brings, where the transport reads into the scheduler's memory; 0 is as much as that has room for. With a sink
  /// slower than its source, it is this and the sink's high mark that bound what has been taken and not passed on.
  std::size_t max_receive = 0;
};

/// One end of a connection, as its protocol sees it.
///
/// References are valid from `connection_made` until `connection_lost` returns; `transport_ref` tells afterwards whether it is still there.
/// All calls belong to the scheduler's thread; debug builds report another thread as misuse. Every call is legal in every callback and in
/// every state. None calls back into a protocol, but for flow control: `write`, `writev`, `flush` and the end of a `scheduler::cork` may
/// call `pause_writing`, `set_write_buffer_limits` may call that or `resume_writing`. None throws: want of memory is the returned error
/// (`std::errc::not_enough_memory`) of a call that has one, and ends the connection where there is none.
///
/// Output of one turn (one read with all that it calls, one timer, …) leaves in one system call when the turn ends (rule F16).
class transport : public detail::tenant {
 public:
  /// Takes all of `data` or nothing; the memory is the caller's again on return. An empty write does nothing (rules W1–W3, W9).
  virtual write_status write(const_bytes data) = 0;
  write_status write(std::string_view text) { return write(as_bytes(text)); }

  /// As one `write` of all `parts` in order, without joining them first (rule W10).
  virtual write_status writev(std::span<const const_bytes> parts) = 0;

  /// Sends `count` bytes of `file` from `offset` on, behind what was written before (rules H1, H2). Over sockets the system copies them
  /// (`sendfile`); elsewhere, and through layers, they are read a piece at a time on a thread of the loop's executor, so that the loop does
  /// not wait for a disk, and on a scheduler without one in a turn of their own. At most `low` bytes and a piece of 64 KiB are in memory.
  ///
  /// Until its last byte is taken nothing else can be written: `pause_writing` was called unless that was at once, writes are dropped and
  /// reported as misuse, and `resume_writing` follows. The rest of the file counts in `get_write_buffer_size`, not for `max_write_buffer`.
  /// `close` and `write_eof` end the output behind the file, `abort` ends it in the middle.
  ///
  /// `done`, which may be empty, is called in a later turn: when the last byte was taken, or, before `connection_lost`, with the reason for
  /// which it never will be. What it throws goes to the error hook. What the peer was promised and the file does not have, because it
  /// shrank or could not be read, ends the connection: `errc::file_too_short`, or the error of the system.
  ///
  /// `file` is taken over and closed at the end; its own position does not matter and does not move. Errors, with `file` closed, nothing
  /// sent and `done` not called: `errc::closed` where a write would be dropped; `errc::not_a_file`; `errc::file_too_short` if the range is not
  /// in it now; `errc::misuse`, which is reported, while another file is being sent, up to the call of its `done`, and behind `upgrade`;
  /// `std::errc::not_enough_memory`.
  virtual std::error_code send_file(descriptor file, std::uint64_t offset, std::uint64_t count, send_file_handler done) = 0;

  /// Ends the output: what is queued is sent, then the peer sees the end. Input goes on. `errc::not_supported` where the kind of transport
  /// has no such end; a second call, or one after `close()`, does nothing (rules E3–E5). Later writes are misuse (rule W4).
  ///
  /// Inside the handshake of a layer the call is remembered: the output ends behind what the protocol above writes in its `connection_made`.
  /// `can_write_eof()` says there what is known so far; if the handshake shows that there is no such end, the error hook is told.
  virtual std::error_code write_eof() = 0;
  virtual bool can_write_eof() const = 0;

  /// Sends now what this turn has collected, instead of at its end.
  virtual void flush() = 0;

  /// Stops reading, sends what is queued, then `connection_lost` with an empty reason follows in a later turn. At most `close_timeout`.
  /// Does nothing on a transport that is closing (rules C1, C4).
  virtual void close() = 0;

  /// Drops what is queued; `connection_lost(errc::aborted)` follows in a later turn. After `close()` it cuts the sending short (rule C2).
  virtual void abort() = 0;

  /// As `abort()`, and on TCP the peer gets a reset instead of an end (rule C5).
  virtual void reset() = 0;

  /// Tells the protocol, in a later turn, that this connection should end soon: its `shutting_down()` is called unless closing has begun.
  /// At most once; a second call does nothing (rule L17).
  void shut_down() override = 0;

  /// True from the first `close`, `abort` or fatal error on, for ever (rule C3).
  virtual bool is_closing() const = 0;

  /// Why the connection is ending: the code that `connection_lost` will get or got. Empty while it is open and for an orderly end.
  virtual std::error_code closing_reason() const = 0;

  /// From the return of this call on neither data nor end of input is delivered. Not counted: one resume ends any number of pauses. Does
  /// nothing on a closing transport (rules R1–R4).
  virtual void pause_reading() = 0;

  /// Delivery goes on in a later turn, with kept bytes first (rules R4, R5).
  virtual void resume_reading() = 0;

  /// As `pause_reading` and `resume_reading`, for whoever hands on what this transport reads, while that cannot go on: `couple`, `fan_out`, or a
  /// protocol of your own that forwards. Independent of the pause that these two make: input is delivered when neither is on (rule R12).
  virtual void hold_for_sink(bool on) = 0;

  /// Not paused by the user, not closing, and no end of input or error seen (rule R6). Says nothing of the engine's own holds (rule R12).
  virtual bool is_reading() const = 0;

  /// `errc::misuse`, with the old values kept, if `low` is above `high`. Takes effect at once: may pause and may resume (rules F2, F7).
  virtual std::error_code set_write_buffer_limits(write_buffer_limits limits) = 0;
  virtual watermarks get_write_buffer_limits() const = 0;

  /// Bytes that were accepted and that the channel has not taken, those of the current turn included (rule F10).
  virtual std::size_t get_write_buffer_size() const = 0;

  /// Replaces all settings at once, the marks as `set_write_buffer_limits` does.
  virtual std::error_code set_options(const stream_options& options) = 0;
  virtual const stream_options& options() const = 0;

  /// `next` takes over when the running callback of this transport has returned, or in the next turn if none is running: it gets
  /// `connection_made` with this transport, then `unread` (copied in this call), then everything else. The present protocol hears nothing
  /// more and is destroyed at the end of that turn. The last call of one callback wins. `errc::closed` from `connection_lost` on, and
  /// `errc::bytes_reserved` where it needs every byte and this medium keeps some; `next` is destroyed then (rules V1–V6).
  virtual std::error_code set_protocol(protocol_ptr next, const_bytes unread = {}) = 0;

  /// Puts `between` between this transport and `next`, at the moment that `set_protocol` would switch. The present protocol is kept, and
  /// hears nothing, until the layer has established itself; then `next` gets `connection_made` with the layer as its transport. If the
  /// layer fails, or the connection ends before, the present protocol gets `connection_lost` and `next` is destroyed unseen (rule V5).
  /// After `write_eof` it is misuse, and nothing happens: no layer could send. Errors as those of `set_protocol`.
  virtual std::error_code upgrade(std::unique_ptr<layer> between, protocol_ptr next, const_bytes unread = {}) = 0;

  /// The scheduler that this transport runs on.
  virtual sluice::scheduler& scheduler() const = 0;

  virtual const stream_counters& counters() const = 0;

  /// Unique among all transports of a scheduler, never used again; stands in every error line.
  std::uint64_t id() const override = 0;

  /// Extra information of type `T` (see info.hpp), from this transport or the one below it; nothing if none knows.
  template <typename T>
  std::optional<T> info() const {
    return info_query::ask<T>([this](info_query& query) { describe(query); });
  }

 protected:
  transport() = default;
  ~transport() override = default;

 private:
  friend class end_watch;
  friend class layer;
  friend class transport_ref;
  virtual std::uint32_t slot() const noexcept = 0;
  void describe(info_query& query) const override = 0;
  virtual void add(end_watch& added) = 0;
};

}  // namespace sluice
