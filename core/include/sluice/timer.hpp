#pragma once

#include <chrono>

#include <sluice/detail/event_node.hpp>
#include <sluice/detail/time_span.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {

/// A deadline that calls one function, as often as it is started. Lives inside the object that it serves; starting, moving and stopping it
/// costs no allocation in the steady state (captures of up to 48 bytes) and logarithmic time.
///
/// The function runs as a turn of its own, never inside `start`. Timers of one deadline fire in the order in which they were started (rule
/// K3). An exception goes to the error hook. The function may start, stop or destroy the timer. Resolution of a `loop` is one millisecond;
/// a timer never fires early. Scheduler's thread only.
class timer : private detail::event_node {
 public:
  /// `owner` must outlive the timer or be destroyed without it being started again.
  timer(scheduler& owner, detail::unique_function on_expiry);
  /// Stops it.
  ~timer();

  /// Fires once, `delay` from now; a running timer is moved. Negative is 0, and more than 100 years is 100 years. Throws `std::bad_alloc`, but
  /// never for a running timer.
  void start(duration delay);
  template <typename Rep, typename Period>
  void start(std::chrono::duration<Rep, Period> delay) {
    start(detail::bounded(delay));
  }
  void start_at(time_point deadline);
  /// Does nothing if it is not running.
  void stop() noexcept;

  bool is_running() const noexcept { return timer_index != no_timer; }
  /// Only while it is running.
  time_point deadline() const noexcept;

 private:
  static void expired(detail::event_node& node, detail::event);

  scheduler& owner_;
  detail::unique_function on_expiry_;
  bool* destroyed_ = nullptr;  // set while the function runs
};

}  // namespace sluice
