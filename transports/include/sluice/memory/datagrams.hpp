#pragma once

#include <cstddef>
#include <system_error>

#include <sluice/datagram_transport.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/memory.hpp>

namespace sluice::detail {
struct datagram_wire;
}

namespace sluice::memory {

/// What a link for datagrams is like. The numbers are per direction, and the same for both.
struct datagram_link_options {
  /// Datagrams that were sent and not received yet; more are refused, as by a socket whose buffer is full. At least 1.
  std::size_t capacity = 64;
  /// A datagram with more bytes arrives truncated (rule D4).
  std::size_t largest = datagram_transport::largest_datagram;
  /// How long a datagram travels, on the scheduler's clock. With 0 it arrives in the next turn.
  duration latency = duration::zero();
  /// The two ends are connected to each other: they know `send`, and each hears of datagrams that the other one, being gone, did not take.
  bool connected = false;
  /// Of both transports.
  datagram_options transport = {};
};

/// A test's hand on the link, between the two ends. Copyable; outlives both ends and the scheduler, and does nothing then. Scheduler's
/// thread only.
class datagram_link {
 public:
  datagram_link(const datagram_link&) noexcept;
  datagram_link& operator=(const datagram_link&) noexcept;
  ~datagram_link();

  /// While on, sends of `sender` are refused, as if the buffer of its socket were full.
  void stall(side sender, bool on = true);
  /// Each datagram of `sender` fails with `error` from now on; an empty code ends that.
  void fail_sends(side sender, std::error_code error);
  /// A receive of `at` fails once with `error`.
  void fail_receive(side at, std::error_code error);
  /// The medium breaks for `at`, for good.
  void fail(side at, std::error_code error);
  /// Datagrams that `sender` sent and that the other end has not received.
  std::size_t in_flight(side sender) const noexcept;

 private:
  friend struct datagram_connection datagram_pair(scheduler& owner, datagram_protocol_ptr first, datagram_protocol_ptr second,
                                                  const datagram_link_options& settings);
  explicit datagram_link(detail::local_ptr<detail::datagram_wire> wire) noexcept;

  detail::local_ptr<detail::datagram_wire> wire_;
};

/// Both ends. The references are valid until the `connection_lost` of each returns.
struct datagram_connection {
  datagram_transport& first;
  datagram_transport& second;
  datagram_link link;
};

/// A network of two: datagrams arrive whole, in order, and none is lost, in real or virtual time. The ends are 127.0.0.1:1 and 127.0.0.1:2
/// (`info<local_address>()`); nobody is anywhere else (EHOSTUNREACH). Both protocols have got `connection_made`, `first` before `second`,
/// when the call returns. `std::invalid_argument` if a protocol is null or a number in `settings` makes no sense.
datagram_connection datagram_pair(scheduler& owner, datagram_protocol_ptr first, datagram_protocol_ptr second,
                                  const datagram_link_options& settings = {});

}  // namespace sluice::memory
