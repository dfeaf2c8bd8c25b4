#include <sluice/testing/manual_scheduler.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace sluice::testing {
namespace {

time_point later(time_point now, duration span) { return span > time_point::max() - now ? time_point::max() : now + span; }

}  // namespace

// Counts the steps of one call, so that a test that would run for ever says so instead.
class manual_scheduler::budget {
 public:
  budget(const manual_scheduler& owner, const char* call) : owner_(owner), call_(call), left_(owner.step_limit_) {
    if (owner.in_turn())
      throw std::logic_error(std::string("manual_scheduler::") + call + " was called from inside a callback, or while a cork is held");
  }

  void spend() {
    if (left_-- != 0) return;
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(owner_.now_.time_since_epoch()).count();
    throw std::runtime_error(std::string("manual_scheduler::") + call_ + " is still busy after " + std::to_string(owner_.step_limit_) +
                             " steps, at " + std::to_string(time) +
                             " us of its clock: something defers itself or answers its peer for ever (set_step_limit allows more)");
  }

 private:
  const manual_scheduler& owner_;
  const char* call_;
  std::size_t left_;
};

manual_scheduler::~manual_scheduler() { close_all(); }

void manual_scheduler::advance(duration span) {
  if (span < duration::zero()) throw std::invalid_argument("manual_scheduler::advance: the span is negative; time only moves forward");
  budget steps(*this, "advance");
  const time_point target = later(now_, span);
  settle(steps);
  while (fire_next_timer(target)) {
    steps.spend();
    settle(steps);
  }
  now_ = target;
}

std::size_t manual_scheduler::run_until_idle() {
  budget steps(*this, "run_until_idle");
  return settle(steps);
}

bool manual_scheduler::run_until(const std::function<bool()>& done, duration limit) {
  budget steps(*this, "run_until");
  const time_point latest = later(now_, limit);
  while (!done()) {
    steps.spend();
    if (run_one_batch() || fire_next_timer(latest)) continue;
    now_ = latest;
    return false;
  }
  return true;
}

bool manual_scheduler::run_one_batch() {
  const budget checked(*this, "run_one_batch");
  if (!has_deferred()) return false;
  run_deferred();
  stop_if_asked();
  return true;
}

std::size_t manual_scheduler::settle(budget& steps) {
  std::size_t batches = 0;
  for (; run_one_batch(); ++batches) steps.spend();
  return batches;
}

bool manual_scheduler::fire_next_timer(time_point latest) {
  if (!has_deadline() || next_deadline() > latest) return false;
  now_ = std::max(now_, next_deadline());
  begin_timers();
  run_next_timer(now_);
  stop_if_asked();
  return true;
}

void manual_scheduler::stop_if_asked() {
  if (std::exchange(stopping_, false)) rethrow_stored();
}

}  // namespace sluice::testing
