#pragma once

#include <sluice/address.hpp>

#include <array>
#include <cstdint>

namespace sluice::detail {

/// An `address` for keeping one per connection (rule I2 of docs/contract.md): IP addresses inside the object, Unix names on the heap.
/// Moving leaves the source empty.
class compact_address {
 public:
  compact_address() noexcept = default;
  /// Allocates for Unix names that are not empty, and may throw `std::bad_alloc` only for those.
  explicit compact_address(const address& from);
  compact_address(compact_address&& other) noexcept { swap(other); }
  compact_address& operator=(compact_address&& other) noexcept;
  ~compact_address() { release(); }

  address expand() const noexcept;
  bool empty() const noexcept { return family_ == address_family::none; }

 private:
  void swap(compact_address& other) noexcept;
  void release() noexcept;
  bool has_name() const noexcept { return family_ == address_family::unix_path || family_ == address_family::unix_abstract; }

  union content {
    std::array<std::byte, 16> ip;
    char* name;
  };
  content content_{};
  std::uint32_t scope_id_ = 0;
  std::uint16_t port_ = 0;
  address_family family_ = address_family::none;
  std::uint8_t length_ = 0;
};

static_assert(sizeof(compact_address) <= 28);

}  // namespace sluice::detail
