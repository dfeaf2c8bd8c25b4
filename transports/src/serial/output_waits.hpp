#pragma once

#include <sluice/scheduler.hpp>
#include <sluice/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <system_error>

namespace sluice::serial {

// Those who wait until the output up to a place in the stream has left the interface. The driver cannot tell by itself, so it is asked by
// timer: nothing blocks, and a line that takes nothing costs a question every 20 ms while somebody waits.
class output_waits {
 public:
  // What of the output before a place is still here.
  struct remaining {
    std::size_t bytes = 0;
    std::error_code error = {};
    duration expected = {};  // until it has left, if nothing holds it up
  };
  using measure = std::function<remaining(std::uint64_t place)>;
  using handler = std::function<void(std::error_code, std::size_t left)>;

  output_waits(scheduler& owner, measure left);

  // `done` is called in a turn of its own, never from in here: with nothing, with the driver's error, with `timed_out` and what is left, or
  // with `cancelled`. Those that wait are told in the order in which they came.
  void add(std::uint64_t place, time_point deadline, handler done);
  // As `add`, and nothing behind `place` may be sent until `done` has called `end_hold`, which it means to do `length` later.
  void add_hold(std::uint64_t place, time_point deadline, handler done, duration length = {});
  void end_hold();
  // The lengths of those holds that have not begun, in seconds.
  double seconds_held() const noexcept;

  // What was queued behind `end` will never be sent.
  void output_discarded(std::uint64_t end) noexcept;
  // How far output may go now.
  std::uint64_t limit() const noexcept;
  // All are told `cancelled`, those that are being told excepted.
  void cancel() noexcept;

 private:
  struct wait {
    std::uint64_t place;
    time_point deadline;
    bool holds;
    handler done;
    duration length = {};
  };
  void look();
  bool look_at_first();
  void tell_first(std::error_code error, std::size_t left);

  scheduler& owner_;
  measure left_;
  std::deque<wait> waits_;
  bool holding_ = false;  // the first one has been told and not ended its hold
  timer poll_;
};

}  // namespace sluice::serial
