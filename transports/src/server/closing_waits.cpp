#include "closing_waits.hpp"

#include <sluice/detail/time_span.hpp>

#include <algorithm>

namespace sluice::detail {

void closing_waits::add(duration deadline, closed_handler done) {
  const time_point until = later(owner_.now(), bounded(deadline));
  wait& added = waits_.emplace_back(*this, until, std::move(done));
  added.alarm.start_at(subject_.is_over() ? owner_.now() : until);
}

void closing_waits::look() noexcept {
  if (waits_.empty() || !subject_.is_over()) return;
  for (wait& each : waits_) each.alarm.start(duration::zero());
}

// What is told may destroy everything here.
void closing_waits::wake(wait& woken) {
  if (!subject_.is_over() && owner_.now() >= woken.until) woken.aborted += subject_.cut_off();
  if (!subject_.is_over()) {
    woken.alarm.start_at(std::max(woken.until, owner_.now()));
    return;
  }
  const closed_handler done = std::move(woken.done);
  const std::size_t aborted = woken.aborted;
  waits_.remove_if([&](const wait& each) { return &each == &woken; });
  if (done == nullptr) return;
  unique_function call = [&] { done(aborted); };
  owner_.run_turn(call, error_source::scheduled, "wait_closed");
}

}  // namespace sluice::detail
