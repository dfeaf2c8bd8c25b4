#include <sluice/timer.hpp>

#include <algorithm>
#include <utility>

#include "thread_check.hpp"

namespace sluice {

timer::timer(scheduler& owner, detail::unique_function on_expiry)
    : event_node(&timer::expired), owner_(owner), on_expiry_(std::move(on_expiry)) {}

timer::~timer() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  stop();
}

void timer::start(duration delay) {
  if (owner_.wrong_thread("timer::start")) return;
  start_at(detail::later(owner_.now(), detail::bounded(delay)));
}

void timer::start_at(time_point deadline) {
  if (owner_.wrong_thread("timer::start_at")) return;
  owner_.set_timer(*this, std::min(deadline, detail::later(owner_.now(), detail::longest_span)));
}

void timer::stop() noexcept {
  if (is_running() && !owner_.wrong_thread("timer::stop")) owner_.cancel_timer(*this);
}

time_point timer::deadline() const noexcept { return time_point(duration(owner_.timers_.deadline_of(*this))); }

// The function may destroy the timer, so it runs from the stack and goes back only if there is somewhere to go.
void timer::expired(detail::event_node& node, detail::event) {
  auto& self = static_cast<timer&>(node);
  bool destroyed = false;
  bool* const outer = std::exchange(self.destroyed_, &destroyed);
  scheduler& owner = self.owner_;
  detail::unique_function function = std::move(self.on_expiry_);
  owner.run_turn(function, error_source::scheduled, "timer");
  if (destroyed) {
    if (outer != nullptr) *outer = true;
    return;
  }
  self.on_expiry_ = std::move(function);
  self.destroyed_ = outer;
}

}  // namespace sluice
