#pragma once

#include <sluice/address.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::detail {

// How many connections each IP address has; the port does not matter, and an IPv4 address inside IPv6 is the IPv4 address. One flat block
// of memory that grows and shrinks with the number of addresses; they are hashed with a seed, as peers choose them.
class peer_table {
 public:
  peer_table();

  std::size_t count(const address& peer) const noexcept;
  // May throw std::bad_alloc and has done nothing then.
  void add(const address& peer);
  // One of those that were added.
  void remove(const address& peer) noexcept;

  std::size_t peers() const noexcept { return used_; }
  std::size_t capacity() const noexcept { return entries_.size(); }

 private:
  using key = std::array<std::uint64_t, 2>;
  struct entry {
    key peer;
    std::uint64_t connections;  // 0: free
  };

  static key key_of(const address& peer) noexcept;
  std::size_t home_of(const key& peer) const noexcept;
  std::size_t next(std::size_t index) const noexcept { return (index + 1) & (entries_.size() - 1); }
  std::size_t find(const key& peer) const noexcept;  // where it is, or the free place where it would be
  void erase(std::size_t index) noexcept;
  void resize(std::size_t capacity);

  std::vector<entry> entries_;  // a power of two, never full
  std::size_t used_ = 0;
  std::uint64_t seed_;
};

}  // namespace sluice::detail
