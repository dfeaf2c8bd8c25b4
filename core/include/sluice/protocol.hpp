#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <system_error>

#include <sluice/bytes.hpp>

namespace sluice {

class transport;
class buffered_protocol;

/// What `protocol::eof_received` wants done with the connection.
enum class eof {
  close,     ///< Send what is still queued, then close.
  keep_open  ///< Stay open for writing; the protocol closes when it is done.
};

/// What `protocol::pause_writing` wants done about input (rule F17).
enum class backpressure {
  hold_reading,  ///< Deliver no data until `resume_writing`; a protocol that answers what it reads is bounded by this alone.
  handled        ///< The protocol stops producing by itself; reading goes on.
};

/// What `protocol::shutting_down` wants done with the connection.
enum class shutdown_action {
  close,   ///< Close gracefully now, as `transport::close()` does.
  handled  ///< The protocol ends the connection by itself; the shutdown's deadline still applies.
};

/// One side of one connection: what to do when it is made, when bytes arrive, when it is lost.
///
/// The order of calls is `connection_made → data_received* → eof_received? → connection_lost`, with `pause_writing` and `resume_writing`
/// strictly alternating in between and `shutting_down` at most once (rules L1–L3, L7, L17). All are called in the scheduler's thread, never
/// nested except for the two flow-control calls (rules F6, L6). A callback may make any transport call, also on other transports, and may
/// throw: the exception goes to the scheduler's error hook and the connection is aborted with `errc::protocol_threw` (rules X1–X3).
class protocol {
 public:
  protocol() = default;
  protocol(const protocol&) = delete;
  protocol& operator=(const protocol&) = delete;
  virtual ~protocol();

  /// First call of all. `transport` stays valid until `connection_lost` returns; keep a `transport_ref` to ask longer than that.
  virtual void connection_made(transport& transport);

  /// `data` is never empty and is valid until this call returns. Its boundaries mean nothing: test with single bytes, too.
  /// Writing parts of `data` to any transport in this call costs no copy.
  virtual void data_received(const_bytes data) = 0;

  /// The peer will send no more. At most once, after the last `data_received`. The default closes.
  virtual eof eof_received();

  /// More than the high mark of bytes waits to be sent. May come from inside `write`, `writev` or `flush`.
  virtual backpressure pause_writing();

  /// No more than the low mark waits. Always after a `pause_writing`, never once the transport is closing (rule F8).
  virtual void resume_writing();

  /// The program wants this connection to end soon. Never after closing began.
  virtual shutdown_action shutting_down();

  /// Its bytes may have any value, so that none can be missed: a medium that keeps some for itself (`info<reserved_bytes>()`) is refused,
  /// with `errc::bytes_reserved`, when it is to run there. False, the default, is for text and for who passes bytes on and cannot know.
  virtual bool needs_every_byte() const noexcept;

  /// Last call of all; exactly one for each `connection_made`, unless the protocol was replaced. An empty `reason` is an orderly end
  /// (rule X6). Calls on the transport are still legal in here and do nothing.
  virtual void connection_lost(std::error_code reason);

 private:
  friend class stream_transport;
  friend class buffered_protocol;
  virtual buffered_protocol* as_buffered() noexcept;  // asked once per switch, so that no event pays for a cast
};

/// A protocol that lets the transport read straight into its own memory.
///
/// For each read the transport calls `get_buffer` and then, if bytes arrived, `buffer_updated` once (rules B1–B6).
class buffered_protocol : public protocol {
 public:
  /// Memory for the next bytes; at least one byte, else the connection is aborted with `errc::bad_buffer`. `hint` is the number of bytes
  /// that the transport would like, 0 if it does not know. The memory must stay valid until `buffer_updated` or, if none follows (nothing
  /// arrived), the next `get_buffer` or the end of the connection. Must not call the transport.
  virtual mutable_bytes get_buffer(std::size_t hint) = 0;

  /// The first `n` > 0 bytes of the last buffer are filled.
  virtual void buffer_updated(std::size_t n) = 0;

  /// Bytes that are already in memory (from a layer, or left over by another protocol): copied through the two calls above until all are
  /// placed. The engine feeds in this way itself; nobody else needs to call it.
  void data_received(const_bytes data) final;

 private:
  buffered_protocol* as_buffered() noexcept final;
};

namespace detail {
// Deletes the protocol, of whatever kind, only if it was handed over, not if it was lent.
class protocol_deleter {
 public:
  explicit protocol_deleter(bool owned = true) noexcept : owned_(owned) {}
  template <typename T>
  protocol_deleter(std::default_delete<T>) noexcept : owned_(true) {}
  template <typename T>
  void operator()(T* object) const noexcept {
    if (owned_) delete object;
  }
  bool owned() const noexcept { return owned_; }

 private:
  bool owned_;
};
}  // namespace detail

/// Owner of a protocol. Converts from any `std::unique_ptr` to a derived class; `borrow` makes one that does not delete.
using protocol_ptr = std::unique_ptr<protocol, detail::protocol_deleter>;

/// A `protocol_ptr` for a protocol that lives elsewhere, which must outlive the connection's `connection_lost`.
inline protocol_ptr borrow(protocol& lent) noexcept { return protocol_ptr(&lent, detail::protocol_deleter(false)); }

/// Makes the protocol of a new connection. One that throws or returns null costs that connection, not its server (rule L15).
using protocol_factory = std::function<protocol_ptr()>;

}  // namespace sluice
