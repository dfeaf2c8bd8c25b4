#pragma once

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

#include <sluice/detail/local_ptr.hpp>
#include <sluice/protocol.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/transport.hpp>

namespace sluice::detail {
struct memory_wire;
}

/// A connection without a network: two transports in one program that behave as two ends of a TCP connection do, in real or virtual time.
///
/// For tests and fuzzers, and for components of one program that talk by a wire protocol. Faithful where fakes usually are not (rule M3):
/// the link holds a bounded number of bytes, sends may be short, delivery is never inside the sender's call, a reset destroys what had not
/// left the sender, and a write to an end that is gone succeeds once. Same calls, same options, same run: nothing is random.
namespace sluice::memory {

/// What a link is like. The numbers are per direction, and the same for both.
struct options {
  /// Bytes that were sent and not read yet; more are refused, as by a socket whose buffers are full. At least 1.
  std::size_t capacity = 64 * 1024;
  /// How many of these have reached the receiver's side. A reset destroys the rest, which the sender still had (rule C6).
  std::size_t window = 32 * 1024;
  /// The most that one send takes; 0 is no limit. As `link::limit_sends` with one number.
  std::size_t max_send = 0;
  /// The most that one read brings; 0 is no limit. As `link::limit_receives` with one number.
  std::size_t max_receive = 0;
  /// How long bytes, ends and resets travel, on the scheduler's clock. With 0 they arrive in the next turn.
  duration latency = duration::zero();
};

/// One of the two ends.
enum class side : std::uint8_t {
  first,
  second
};

struct connection;

/// A test's hand on the connection, between the two ends. Copyable; outlives both ends and the scheduler, and does nothing then. Takes
/// effect at once; what that brings about is told to the protocols in later turns. Scheduler's thread only.
class link {
 public:
  link(const link&) noexcept;
  link& operator=(const link&) noexcept;
  ~link();

  /// While on, sends of `sender` take nothing, as if the other end had stopped reading and all buffers were full.
  void stall(side sender, bool on = true);
  /// While on, nothing arrives at either end any more, as behind a pulled cable; sends are taken until the capacity is used up.
  void cut(bool on = true);

  /// How many bytes the next sends of `sender` take at most: number by number, and again from the first after the last. A 0 makes one send
  /// take nothing. An empty list is no limit; in any other at least one number is above 0 (`std::invalid_argument`).
  void limit_sends(side sender, std::vector<std::size_t> pattern);
  /// As `limit_sends`, for the bytes that each read of `receiver` brings. No number may be 0.
  void limit_receives(side receiver, std::vector<std::size_t> pattern);
  /// For what `sender` sends from now on; it never overtakes what is on its way.
  void set_latency(side sender, duration latency);

  /// Each send of `sender` fails with `error` from now on (rule W7).
  void fail_sends(side sender, std::error_code error);
  /// The connection breaks for `at` alone: what has arrived is delivered first if it is reading, then it ends with `error`. The first
  /// failure of an end is the one that counts.
  void fail(side at, std::error_code error);
  /// Both ends get a reset, ECONNRESET, as from a device between them.
  void reset();
  /// The next `operations` sends and reads, of either end, work; the one after them fails with `error`, and no other. For sweeps over every
  /// place where a connection can break; see `struck`.
  void fail_after(std::size_t operations, std::error_code error);
  /// The failure that `fail_after` set has happened.
  bool struck() const noexcept;

  /// Bytes that `sender` sent and that the other end has not read.
  std::size_t in_flight(side sender) const noexcept;
  /// The end has not given back its handle: its protocol is not lost, or it lingers (rule C6).
  bool is_open(side end) const noexcept;

 private:
  friend connection pair(scheduler& owner, protocol_ptr first, protocol_ptr second, const options& settings);
  explicit link(detail::local_ptr<detail::memory_wire> wire) noexcept;

  detail::local_ptr<detail::memory_wire> wire_;
};

/// Both ends. The references are valid as any reference to a transport is: until its `connection_lost` returns.
struct connection {
  transport& first;
  transport& second;
  memory::link link;
};

/// Makes a link and connects the two protocols by it: both have got `connection_made`, `first` before `second`, when the call returns. Each
/// transport answers `info<transport_kind>()` with "memory" and knows no addresses. `std::invalid_argument` if a protocol is null or a
/// number in `settings` makes no sense.
connection pair(scheduler& owner, protocol_ptr first, protocol_ptr second, const options& settings = {});

}  // namespace sluice::memory
