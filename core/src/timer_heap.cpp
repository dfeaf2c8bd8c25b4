#include <sluice/detail/timer_heap.hpp>

#include <utility>

namespace sluice::detail {

void timer_heap::set(event_node& node, std::int64_t deadline) {
  const entry value{deadline, order_++, &node};
  if (node.timer_index != event_node::no_timer) {
    settle(node.timer_index, value);
    return;
  }
  entries_.push_back(value);
  rise(entries_.size() - 1, value);
}

void timer_heap::cancel(event_node& node) noexcept {
  if (node.timer_index == event_node::no_timer) return;
  const std::size_t hole = std::exchange(node.timer_index, event_node::no_timer);
  const entry last = entries_.back();
  entries_.pop_back();
  if (hole < entries_.size()) settle(hole, last);
}

void timer_heap::clear() noexcept {
  for (const entry& value : entries_) value.node->timer_index = event_node::no_timer;
  entries_.clear();
}

void timer_heap::put(std::size_t index, const entry& value) noexcept {
  entries_[index] = value;
  value.node->timer_index = static_cast<std::uint32_t>(index);
}

void timer_heap::rise(std::size_t index, entry value) noexcept {
  while (index > 0 && before(value, entries_[(index - 1) / 2])) {
    put(index, entries_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  put(index, value);
}

void timer_heap::sink(std::size_t index, entry value) noexcept {
  for (std::size_t child = 2 * index + 1; child < entries_.size(); child = 2 * index + 1) {
    if (child + 1 < entries_.size() && before(entries_[child + 1], entries_[child])) ++child;
    if (!before(entries_[child], value)) break;
    put(index, entries_[child]);
    index = child;
  }
  put(index, value);
}

void timer_heap::settle(std::size_t index, entry value) noexcept {
  if (index > 0 && before(value, entries_[(index - 1) / 2]))
    rise(index, value);
  else
    sink(index, value);
}

}  // namespace sluice::detail
