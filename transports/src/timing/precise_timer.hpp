#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/loop.hpp>
#include <sluice/timer.hpp>

#include "socket/socket_watch.hpp"

namespace sluice::detail {

// The scheduler's clock as it is now, not as it was when the turn began.
time_point read_clock(const scheduler& owner) noexcept;

// A deadline in nanoseconds, where a timer of a loop has milliseconds: by a descriptor of the system's on a loop, by an ordinary timer on
// every other scheduler, and where the system has no descriptor. Moving the deadline to a later time costs no system call: what goes off
// too early is set again. Not to be destroyed by its own function.
class precise_timer {
 public:
  precise_timer(scheduler& owner, unique_function on_expiry);

  void start_at(time_point deadline);
  void stop() noexcept;
  bool is_running() const noexcept { return deadline_ != time_point::max(); }

 private:
  static void on_event(void* self, int status, int events);
  void arm();
  bool set_descriptor() noexcept;
  void went_off();

  scheduler& owner_;
  loop* loop_;  // null on a scheduler that is none
  unique_function on_expiry_;
  time_point deadline_ = time_point::max();
  time_point armed_for_ = time_point::max();
  descriptor clock_;
  socket_watch watch_;
  timer fallback_;
};

}  // namespace sluice::detail
