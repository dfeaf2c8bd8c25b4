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

  // From now on setting `node` cannot fail. Until `give_up_place`, also while it is not set.
  void keep_place(event_node& node);
  void give_up_place(event_node& node) noexcept;

  void set(event_node& node, std::int64_t deadline);  // also moves one that is set; throws only for one that is not and keeps no place
  void cancel(event_node& node) noexcept;
  void clear() noexcept;

  // Of those that keep one, and of others that are set: for so many there is memory.
  std::size_t places() const noexcept { return places_; }

 private:
  static bool before(const entry& a, const entry& b) noexcept {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
  }
  void make_place();
  void put(std::size_t index, const entry& value) noexcept;
  void rise(std::size_t index, entry value) noexcept;
  void sink(std::size_t index, entry value) noexcept;
  void settle(std::size_t index, entry value) noexcept;

  std::vector<entry> entries_;
  std::size_t places_ = 0;
  std::uint64_t order_ = 0;
};

}  // namespace sluice::detail
