#pragma once

#include <sluice/scheduler.hpp>

// What the scheduler's source files share.

namespace sluice {

// `visit` may add and destroy resources; each that was there at the beginning and still is gets its turn.
template <typename Visit>
void scheduler::for_each_resource(Visit visit) {
  const std::uint32_t round = ++resource_round_;
  for (detail::resource* at = resources_; at != nullptr;) {
    if (at->round_ == round) {
      at = at->next_;
      continue;
    }
    at->round_ = round;
    visit(*at);
    at = resources_;
  }
}

// Those whose protocol has not heard the end, layers included.
template <typename Visit>
void scheduler::for_each_live_transport(Visit visit) {
  for (std::size_t i = 0; i < slots_->size(); ++i)
    if (detail::tenant* open = slots_->occupant(i); open != nullptr && !open->is_over()) visit(*open);
}

}  // namespace sluice
