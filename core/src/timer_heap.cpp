#include <sluice/detail/timer_heap.hpp>

#include <algorithm>
#include <utility>

namespace sluice::detail {

namespace {
constexpr std::size_t fewest_places = 4;
}

void timer_heap::keep_place(event_node& node) {
  make_place();
  node.keeps_place = true;
}

void timer_heap::give_up_place(event_node& node) noexcept {
  cancel(node);
  if (node.keeps_place) --places_;
  node.keeps_place = false;
}

void timer_heap::make_place() {
  if (places_ == entries_.capacity()) entries_.reserve(std::max(fewest_places, 2 * places_));
  ++places_;
}

void timer_heap::set(event_node& node, std::int64_t deadline) {
  const bool is_set = node.timer_index != event_node::no_timer;
  if (!is_set && !node.keeps_place) make_place();
  const entry value{deadline, order_++, &node};
  if (is_set) {
    settle(node.timer_index, value);
    return;
  }
  entries_.push_back(value);
  rise(entries_.size() - 1, value);
}

void timer_heap::cancel(event_node& node) noexcept {
  if (node.timer_index == event_node::no_timer) return;
  const std::size_t hole = std::exchange(node.timer_index, event_node::no_timer);
  if (!node.keeps_place) --places_;
  const entry last = entries_.back();
  entries_.pop_back();
  if (hole < entries_.size()) settle(hole, last);
}

void timer_heap::clear() noexcept {
  while (!entries_.empty()) cancel(*entries_.back().node);
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
