#pragma once

#include <sluice/bytes.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/protocol.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <system_error>

namespace sluice {

namespace detail {
class coupled_ends;
}

/// What went one way through a coupling.
struct coupled_direction {
  std::uint64_t bytes = 0;    ///< Handed to the sink, which delivers them unless it fails.
  std::uint64_t chunks = 0;   ///< Reads that they came in.
  std::uint64_t holds = 0;    ///< How often the source was held because the sink was above its high mark.
  std::uint64_t dropped = 0;  ///< Bytes that were read and that the sink did not take, because it had failed or was closed.
};

/// How a coupling went.
struct coupling_report {
  coupled_direction forth;  ///< From the first end to the second.
  coupled_direction back;
  /// What each `connection_lost` got; `errc::cancelled` for an end that was never made, or that got another protocol.
  std::error_code first;
  std::error_code second;
};

/// Told once, when both ends are over; what it throws goes to the error hook.
using coupling_handler = std::function<void(const coupling_report&)>;

/// What becomes of an end that cannot be half closed (`can_write_eof`) when the other one's input has ended. Its peer cannot be told, and
/// may have an answer under way, or be waiting for this end itself; nobody can tell which.
///
/// So the end is kept while it is heard, and closed once it has been silent for the time given here: 0 closes it at once, when everything
/// is sent, and `duration::max()` never. Give one that answers the time that an answer may take, and one that only asks none. It is no
/// silence while the end is not read, because the other one is above its mark or the user has paused it, or while its output still leaves
/// (`get_write_buffer_size`).
struct couple_options {
  duration silence_of_first = std::chrono::seconds(1);
  duration silence_of_second = std::chrono::seconds(1);
};

/// A hand on a coupling: small, copyable, and of no use, but safe, when both ends are over. Scheduler's thread only.
class coupling {
 public:
  coupling() noexcept;
  explicit coupling(detail::local_ptr<detail::coupled_ends> ends) noexcept;
  coupling(const coupling&) noexcept;
  coupling& operator=(const coupling&) noexcept;
  ~coupling();

  /// The ends, each null until it is made and from its `connection_lost` on.
  transport* first() const noexcept;
  transport* second() const noexcept;
  /// At least one end is not over.
  bool is_open() const noexcept;
  /// Up to now; after the end what the handler got.
  coupling_report report() const noexcept;

  /// `transport::close()` on both ends: what was read is delivered.
  void close() const;
  void abort() const;

 private:
  detail::local_ptr<detail::coupled_ends> ends_;
};

/// The two ends of a coupling that are not made yet: each protocol is for one connection, to be given to a `connect`, a server's factory, or
/// `set_protocol`. The end that is made first is held until the other one is there; it is closed if the other protocol is destroyed unmade.
/// `owner`, the scheduler of both connections, must outlive them.
struct coupled_protocols {
  protocol_ptr first;
  protocol_ptr second;
  coupling joint;
};
coupled_protocols make_coupling(scheduler& owner, coupling_handler on_end = {}, const couple_options& settings = {});

/// Joins two connections: what one receives is written to the other, both ways, in order and without a copy while the sink keeps up.
///
/// - While a sink is above its high mark, its source is held (`hold_for_sink`), which ends at the low mark. What waits in between is bounded by
///   that mark and one read.
/// - The end of one side's input becomes the end of the other's output, in order. So both directions come to their ends one by one, and
///   when both have, both connections close.
/// - Where the other side has no such end (`can_write_eof`), it is closed once it has sent everything and its own input has ended, too, or
///   it has been silent for a time (`couple_options`); or at once if neither can be half closed, as nobody is left to be answered.
/// - When one side is lost, for whatever reason, the other one is closed once it has sent everything.
///
/// Takes effect as `set_protocol` does, and the protocols that the two had are replaced as it says; `unread_…` is what those had received and
/// left over, and goes first. Any pause of the user's stays. Both must be of one scheduler, and two (`std::invalid_argument`). Throws
/// `std::system_error`, or sets `error`, where `set_protocol` has an error; the other one is closed then.
coupling couple(transport& first, transport& second, coupling_handler on_end = {}, const_bytes unread_of_first = {},
                const_bytes unread_of_second = {}, const couple_options& settings = {});
coupling couple(transport& first, transport& second, std::error_code& error, coupling_handler on_end = {}, const_bytes unread_of_first = {},
                const_bytes unread_of_second = {}, const couple_options& settings = {});

}  // namespace sluice
