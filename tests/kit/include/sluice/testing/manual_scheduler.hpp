#pragma once

#include <cstddef>
#include <functional>

#include <sluice/scheduler.hpp>

namespace sluice::testing {

/// The scheduler that a test drives: time stands still until the test moves it, and nothing runs outside these calls.
///
/// The clock begins at zero. Every run of the same program is the same, however fast the machine. Under `on_error(stop_and_rethrow)` the
/// running call throws the first error. None of the functions that run something may be called from inside a callback, nor while a
/// `cork()` is held: they throw `std::logic_error` then.
class manual_scheduler final : public scheduler {
 public:
  manual_scheduler() = default;
  /// Gives each open transport's protocol `connection_lost(errc::aborted)` and reports what was open (rule L14).
  ~manual_scheduler() override;

  time_point now() const noexcept override { return now_; }

  /// Moves the clock by `span`, which must not be negative (`std::invalid_argument`). Each timer on the way fires at its own time, also
  /// those that a timer on the way sets, and what is deferred runs before the next of them (rule M4). Deferred work runs first of all.
  void advance(duration span);

  /// Runs deferred work until none is left; the clock stands still. Returns the number of batches that it took, 0 if there was nothing.
  std::size_t run_until_idle();

  /// Runs deferred work and timers, and moves the clock from timer to timer, until `done()`, which is asked before each step. Gives up when
  /// `limit` has passed on the clock; true if `done()`.
  bool run_until(const std::function<bool()>& done, duration limit = std::chrono::hours(1));

  /// One batch of deferred work. False if there was none.
  bool run_one_batch();

  /// Something is deferred. Timers do not count.
  bool is_busy() const noexcept { return has_deferred(); }
  /// The time of the earliest timer; `time_point::max()` if none is running.
  time_point next_timer() const noexcept { return has_deadline() ? next_deadline() : time_point::max(); }

  /// How many batches and timers one of the calls above may run before it throws `std::runtime_error`, because two parties that answer
  /// each other for ever are the most frequent way to hang a test. 1,000,000 at first.
  void set_step_limit(std::size_t steps) noexcept { step_limit_ = steps; }

 private:
  class budget;

  void deferred_pending() noexcept override {}
  void deadline_changed() noexcept override {}
  void stop_requested() override { stopping_ = true; }

  std::size_t settle(budget& steps);
  bool fire_next_timer(time_point latest);
  void stop_if_asked();

  time_point now_{};
  std::size_t step_limit_ = 1'000'000;
  bool stopping_ = false;
};

}  // namespace sluice::testing
