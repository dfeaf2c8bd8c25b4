#pragma once

#include <chrono>

#include <sluice/detail/local_ptr.hpp>
#include <sluice/detail/node_call.hpp>
#include <sluice/detail/time_span.hpp>
#include <sluice/detail/timer_heap.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {

/// A deadline that calls one function, as often as it is started. Lives inside the object that it serves; starting, moving and stopping it
/// cannot fail, allocates nothing and takes logarithmic time.
///
/// The function runs as a turn of its own, never inside `start`. Timers of one deadline fire in the order in which they were started (rule
/// K3). An exception goes to the error hook. The function may start, stop or destroy the timer. Resolution of a `loop` is one millisecond;
/// a timer never fires early. Scheduler's thread only.
class timer : private detail::node_call {
 public:
  /// `owner` must outlive the timer or be destroyed without it being started again. Captures of up to 48 bytes cost no allocation. Throws
  /// `std::bad_alloc`.
  timer(scheduler& owner, detail::unique_function on_expiry);
  /// Stops it.
  ~timer();

  /// Fires once, `delay` from now; a running timer is moved. Negative is 0, and more than 100 years is 100 years.
  void start(duration delay) noexcept;
  template <typename Rep, typename Period>
  void start(std::chrono::duration<Rep, Period> delay) noexcept {
    start(detail::bounded(delay));
  }
  void start_at(time_point deadline) noexcept;
  /// Does nothing if it is not running.
  void stop() noexcept;

  bool is_running() const noexcept { return timer_index != no_timer; }
  /// Only while it is running.
  time_point deadline() const noexcept;

 private:
  static void expired(detail::event_node& node, detail::event);

  detail::local_ptr<detail::timer_heap> heap_;  // where it keeps its place; may outlive the scheduler, as the timer may
};

}  // namespace sluice
