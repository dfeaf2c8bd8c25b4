#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <sluice/scheduler.hpp>

namespace sluice {

/// How a `shutdown` went.
struct shutdown_report {
  std::size_t asked = 0;  ///< Transports, layers included, that were open when it began.
  std::vector<std::uint64_t>
      aborted;  ///< `transport::id()` of those that were still open at the deadline; empty if all ended by themselves.
};

/// Told once that nothing is open any more, in a turn of its own.
using shutdown_handler = std::function<void(const shutdown_report&)>;

/// Ends everything that is open on `owner`, and always comes to an end itself:
///
/// - servers stop accepting, as `server::close()` does; attempts to connect end with `errc::cancelled`;
/// - each protocol is asked to end by `shutting_down()`, whose default closes in good order (rule L17); so is one that a connection brings
///   meanwhile;
/// - what is open when `deadline` has passed is aborted with `errc::timed_out`, and the error hook gets one report that lists it;
/// - then `done` is called. On a loop `run` returns, unless the program keeps it busy otherwise.
///
/// May be called from any callback. A second call while the first is under way can only bring the deadline forward; each `done` is called.
/// Afterwards the scheduler is as good as new. Throws `std::bad_alloc` where there is no memory to begin with; then nothing has begun.
void shutdown(scheduler& owner, duration deadline, shutdown_handler done = {});

}  // namespace sluice
