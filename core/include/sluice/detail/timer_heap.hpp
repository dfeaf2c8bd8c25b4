#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sluice/detail/event_node.hpp>

namespace sluice::detail {

// Deadlines in order, equal ones in the order in which they were set (rule K3). Nodes know their place, so cancelling needs no search.
class timer_heap {
 public:
  struct entry {
    std::int64_t deadline;  // nanoseconds on the scheduler's clock
    std::uint64_t order;
    event_node* node;
  };

  bool empty() const noexcept { return entries_.empty(); }
  const entry& earliest() const noexcept { return entries_.front(); }
  std::int64_t deadline_of(const event_node& node) const noexcept { return entries_[node.timer_index].deadline; }
  std::uint64_t next_order() const noexcept { return order_; }

  void set(event_node& node, std::int64_t deadline);  // also moves one that is set
  void cancel(event_node& node) noexcept;
  void clear() noexcept;

 private:
  static bool before(const entry& a, const entry& b) noexcept {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
  }
  void put(std::size_t index, const entry& value) noexcept;
  void rise(std::size_t index, entry value) noexcept;
  void sink(std::size_t index, entry value) noexcept;
  void settle(std::size_t index, entry value) noexcept;

  std::vector<entry> entries_;
  std::uint64_t order_ = 0;
};

}  // namespace sluice::detail
