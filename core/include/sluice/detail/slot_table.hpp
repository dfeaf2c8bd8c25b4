#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sluice/detail/local_ptr.hpp>
#include <sluice/detail/tenant.hpp>

namespace sluice::detail {

// The transports of one scheduler by number. A slot is used again, an id never is, so the pair tells whether a transport is still the same.
// Shared because it has to outlive its scheduler for whoever still holds a reference.
class slot_table {
 public:
  struct slot {
    tenant* occupant;  // null: free
    std::uint64_t id;  // of a free slot: index of the next free one
  };

  // Throws std::bad_alloc with nothing changed.
  std::uint32_t put(tenant& occupant) {
    if (free_ == none) {
      slots_.push_back({&occupant, ++last_id_});
      ++used_;
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t index = free_;
    free_ = static_cast<std::uint32_t>(slots_[index].id);
    slots_[index] = {&occupant, ++last_id_};
    ++used_;
    return index;
  }
  void remove(std::uint32_t index) noexcept {
    slots_[index] = {nullptr, free_};
    free_ = index;
    --used_;
  }

  std::uint64_t id(std::uint32_t index) const noexcept { return slots_[index].id; }
  tenant* find(std::uint32_t index, std::uint64_t id) const noexcept {
    return index < slots_.size() && slots_[index].id == id ? slots_[index].occupant : nullptr;
  }
  std::size_t size() const noexcept { return slots_.size(); }
  std::size_t used() const noexcept { return used_; }
  tenant* occupant(std::size_t index) const noexcept { return slots_[index].occupant; }

 private:
  static constexpr std::uint32_t none = 0xffffffff;

  std::vector<slot> slots_;
  std::uint32_t free_ = none;
  std::size_t used_ = 0;
  std::uint64_t last_id_ = 0;
};

using slot_table_ptr = local_ptr<slot_table>;

}  // namespace sluice::detail
