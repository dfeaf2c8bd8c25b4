#pragma once

#include <functional>
#include <memory>
#include <system_error>

#include <sluice/address.hpp>
#include <sluice/bytes.hpp>
#include <sluice/protocol.hpp>

namespace sluice {

class datagram_transport;

/// What to do with datagrams: the counterpart of `protocol` where every message stands for itself.
///
/// The order of calls is `connection_made → (datagram_received | error_received)* → connection_lost`, with `pause_writing` and
/// `resume_writing` strictly alternating in between and `shutting_down` at most once (rules D1, L1–L3, L17). All are called in the
/// scheduler's thread, never nested except for the two flow-control calls. A callback may make any transport call and may throw: the
/// exception goes to the scheduler's error hook and the transport goes on (rule X4), unless it was `connection_made`, which aborts (rule
/// X2).
class datagram_protocol {
 public:
  datagram_protocol() = default;
  datagram_protocol(const datagram_protocol&) = delete;
  datagram_protocol& operator=(const datagram_protocol&) = delete;
  virtual ~datagram_protocol();

  /// First call of all. `transport` stays valid until `connection_lost` returns; keep a `datagram_transport_ref` to ask longer than that.
  virtual void connection_made(datagram_transport& transport);

  /// One datagram, whole, as it was sent; an empty one is one, too (rule D2). `from` is empty or unnamed where the sender has no address
  /// (rule D14). Both are valid until this call returns. Sending parts of `data`, to `from` or anywhere else, costs no copy in this call.
  virtual void datagram_received(const_bytes data, const address& from) = 0;

  /// A datagram was lost with a sign of it, and the transport goes on (rule D5). `errc::message_truncated`: one that came was longer than
  /// the transport's limit (rule D4). Codes of the system: one could not be sent (EMSGSIZE, ENETUNREACH, …), or nobody took one that was
  /// sent before (ECONNREFUSED, where the peer is fixed). Equal failures of one turn are told once; `datagram_counters` has them all.
  virtual void error_received(std::error_code error);

  /// More than the high mark waits to be sent. May come from inside `send`, `send_to` or `flush`. `hold_reading`, as here: no datagram is
  /// delivered until `resume_writing` (rule F17).
  virtual backpressure pause_writing();

  /// No more than the low mark waits. Always after a `pause_writing`, never once the transport is closing (rule F8).
  virtual void resume_writing();

  /// The program wants this transport to end soon. Never after closing began.
  virtual shutdown_action shutting_down();

  /// Last call of all; exactly one for each `connection_made`. An empty `reason` is an orderly end (rule X6).
  virtual void connection_lost(std::error_code reason);
};

/// Owner of a datagram protocol. Converts from any `std::unique_ptr` to a derived class; `borrow` makes one that does not delete.
using datagram_protocol_ptr = std::unique_ptr<datagram_protocol, detail::protocol_deleter>;

/// As `borrow` of a stream's protocol: it lives elsewhere and must outlive its `connection_lost`.
inline datagram_protocol_ptr borrow(datagram_protocol& lent) noexcept {
  return datagram_protocol_ptr(&lent, detail::protocol_deleter(false));
}

}  // namespace sluice
