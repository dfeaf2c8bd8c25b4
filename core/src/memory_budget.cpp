#include "memory_budget.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include <sluice/error.hpp>

#include "scheduler_parts.hpp"
#include "thread_check.hpp"

namespace sluice {
namespace {

constexpr std::size_t steps_per_budget = 16;  // between two steps the use may grow by this part of the budget

std::size_t release_at(std::size_t budget) noexcept { return budget - budget / 4; }

}  // namespace

void scheduler::set_memory_budget(std::size_t bytes) {
  if (wrong_thread("scheduler::set_memory_budget")) return;
  if (memory_budget_ == nullptr) memory_budget_ = std::make_unique<memory_budget>(*this);
  memory_budget_->set(bytes);
}

std::size_t scheduler::get_memory_budget() const noexcept { return memory_budget_ == nullptr ? 0 : memory_budget_->bytes(); }

bool scheduler::memory_is_short() const noexcept { return memory_budget_ != nullptr && memory_budget_->is_exceeded(); }

scheduler::memory_budget::~memory_budget() {
  owner_.forget(*this);
  owner_.pool_.unwatch();
}

void scheduler::memory_budget::set(std::size_t bytes) {
  budget_ = next_step_ = bytes;
  owner_.defer(*this);
}

void scheduler::memory_budget::mark_crossed() noexcept { owner_.defer(*this); }

void scheduler::memory_budget::on_event(detail::event_node& node, detail::event) {
  auto& self = static_cast<memory_budget&>(node);
  const cork_guard turn(self.owner_);
  const std::size_t used = self.owner_.memory_in_use();
  if (self.budget_ != 0 && used > self.next_step_)
    self.take_step();
  else if (self.exceeded_ && (self.budget_ == 0 || used <= release_at(self.budget_)))
    self.release_all();
  self.arm();
}

// Without a byte from the heap, of which there may be none.
void scheduler::memory_budget::take_step() {
  exceeded_ ? hold_largest() : hold_accepting();
  next_step_ = owner_.memory_in_use() + budget_ / steps_per_budget;
}

void scheduler::memory_budget::hold_accepting() {
  exceeded_ = true;
  ++owner_.counters_.memory_episodes;
  owner_.for_each_resource([](detail::resource& each) { each.memory_short(true); });
  char text[96];
  std::snprintf(text, sizeof text, "%zu of %zu bytes are in use; accepting is paused", owner_.memory_in_use(), budget_);
  owner_.report({error_source::memory, 0, errc::memory_budget, nullptr, text});
}

// All that hold back at least half as much as the largest, so that thousands of equal ones need no thousand steps.
void scheduler::memory_budget::hold_largest() {
  std::size_t largest = 0;
  owner_.for_each_live_transport([&](const detail::tenant& each) {
    if (!each.is_held_for_memory()) largest = std::max(largest, each.kept_bytes());
  });
  if (largest == 0) return;
  owner_.for_each_live_transport([&](detail::tenant& each) {
    const std::size_t kept = each.kept_bytes();
    if (each.is_held_for_memory() || kept < (largest + 1) / 2) return;
    each.hold_for_memory(true);
    ++owner_.counters_.memory_holds;
    char text[96];
    std::snprintf(text, sizeof text, "reading is held, as %zu bytes wait in this connection", kept);
    owner_.report({error_source::memory, each.id(), errc::memory_budget, nullptr, text});
  });
}

void scheduler::memory_budget::release_all() {
  exceeded_ = false;
  next_step_ = budget_;
  owner_.for_each_live_transport([](detail::tenant& each) { each.hold_for_memory(false); });
  owner_.for_each_resource([](detail::resource& each) { each.memory_short(false); });
}

void scheduler::memory_budget::arm() {
  if (budget_ == 0)
    owner_.pool_.unwatch();
  else
    owner_.pool_.watch(*this, next_step_, exceeded_ ? std::optional(release_at(budget_)) : std::nullopt);
}

}  // namespace sluice
