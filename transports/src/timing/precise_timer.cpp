#include "precise_timer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace sluice::detail {
namespace {

itimerspec absolute(time_point when) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t at = std::max<std::int64_t>(when.time_since_epoch().count(), 1);  // 0 would stop it
  return {{0, 0}, {static_cast<time_t>(at / second), static_cast<long>(at % second)}};
}

}  // namespace

time_point read_clock(const scheduler& owner) noexcept {
  return dynamic_cast<const loop*>(&owner) != nullptr ? time_point(duration(static_cast<std::int64_t>(uv_hrtime()))) : owner.now();
}

precise_timer::precise_timer(scheduler& owner, unique_function on_expiry)
    : owner_(owner), loop_(dynamic_cast<loop*>(&owner)), on_expiry_(std::move(on_expiry)), fallback_(owner, [this] { went_off(); }) {
  if (loop_ == nullptr) return;
  clock_ = descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (clock_ && watch_.start(*loop_, clock_.get(), UV_READABLE, &precise_timer::on_event, this)) clock_.close();
}

void precise_timer::start_at(time_point deadline) {
  deadline_ = deadline;
  if (armed_for_ > deadline) arm();
}

void precise_timer::stop() noexcept { deadline_ = time_point::max(); }

void precise_timer::arm() {
  armed_for_ = deadline_;
  if (!set_descriptor()) fallback_.start_at(deadline_);
}

bool precise_timer::set_descriptor() noexcept {
  const itimerspec when = absolute(deadline_);
  return clock_ && ::timerfd_settime(clock_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0;
}

void precise_timer::on_event(void* of, int, int) {
  auto& self = *static_cast<precise_timer*>(of);
  std::uint64_t times = 0;
  if (::read(self.clock_.get(), &times, sizeof times) != sizeof times) return;  // set again meanwhile
  unique_function step = [&self] { self.went_off(); };
  self.owner_.run_turn(step, error_source::scheduled, "timer");
}

void precise_timer::went_off() {
  armed_for_ = time_point::max();
  if (!is_running()) return;
  if (read_clock(owner_) < deadline_) return arm();
  stop();
  on_expiry_();
}

}  // namespace sluice::detail
