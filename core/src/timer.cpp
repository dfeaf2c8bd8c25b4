#include <sluice/timer.hpp>

#include <algorithm>
#include <utility>

#include "thread_check.hpp"

namespace sluice {

timer::timer(scheduler& owner, detail::unique_function on_expiry)
    : node_call(owner, std::move(on_expiry), &timer::expired), heap_(owner.timers_) {
  if (!owner.wrong_thread("timer::timer")) heap_->keep_place(*this);
}

timer::~timer() {
  stop();
  heap_->give_up_place(*this);
}

void timer::start(duration delay) noexcept {
  if (owner().wrong_thread("timer::start")) return;
  start_at(detail::later(owner().now(), detail::bounded(delay)));
}

void timer::start_at(time_point deadline) noexcept {
  if (owner().wrong_thread("timer::start_at")) return;
  owner().set_timer(*this, std::min(deadline, detail::later(owner().now(), detail::longest_span)));
}

void timer::stop() noexcept {
  if (is_running() && !owner().wrong_thread("timer::stop")) owner().cancel_timer(*this);
}

time_point timer::deadline() const noexcept { return time_point(duration(heap_->deadline_of(*this))); }

void timer::expired(detail::event_node& node, detail::event) { static_cast<timer&>(node).call("timer"); }

}  // namespace sluice
