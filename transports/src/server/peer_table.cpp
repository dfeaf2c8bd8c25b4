#include "peer_table.hpp"

#include <cstring>
#include <new>
#include <random>
#include <utility>

namespace sluice::detail {
namespace {

constexpr std::size_t least_capacity = 16;

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// The finalizer of splitmix64.
std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

peer_table::peer_table() : seed_(random_seed()) {}

peer_table::key peer_table::key_of(const address& peer) noexcept {
  const address plain = peer.unmapped();
  const const_bytes bytes = plain.ip_bytes();
  key result{};
  std::memcpy(result.data(), bytes.data(), bytes.size());
  if (plain.is_v4()) result[1] = 1;  // apart from the IPv6 address that begins with these bytes
  return result;
}

std::size_t peer_table::home_of(const key& peer) const noexcept {
  return static_cast<std::size_t>(mix(mix(peer[0] ^ seed_) ^ peer[1])) & (entries_.size() - 1);
}

std::size_t peer_table::find(const key& peer) const noexcept {
  std::size_t index = home_of(peer);
  while (entries_[index].connections != 0 && entries_[index].peer != peer) index = next(index);
  return index;
}

std::size_t peer_table::count(const address& peer) const noexcept {
  return entries_.empty() ? 0 : static_cast<std::size_t>(entries_[find(key_of(peer))].connections);
}

void peer_table::add(const address& peer) {
  if (2 * (used_ + 1) > entries_.size()) resize(entries_.empty() ? least_capacity : 2 * entries_.size());
  const key wanted = key_of(peer);
  entry& place = entries_[find(wanted)];
  if (place.connections++ != 0) return;
  place.peer = wanted;
  ++used_;
}

void peer_table::remove(const address& peer) noexcept {
  const std::size_t index = find(key_of(peer));
  if (--entries_[index].connections != 0) return;
  --used_;
  erase(index);
  if (entries_.size() <= least_capacity || 8 * used_ > entries_.size()) return;
  try {
    resize(entries_.size() / 2);
  } catch (const std::bad_alloc&) {
    return;  // it stays as large as it is
  }
}

// Moves those back that are behind the gap only because of what stood in it.
void peer_table::erase(std::size_t gap) noexcept {
  for (std::size_t index = next(gap); entries_[index].connections != 0; index = next(index)) {
    const std::size_t mask = entries_.size() - 1;
    const std::size_t from_home = (index - home_of(entries_[index].peer)) & mask;
    if (from_home < ((index - gap) & mask)) continue;
    entries_[gap] = std::exchange(entries_[index], entry{});
    gap = index;
  }
}

void peer_table::resize(std::size_t capacity) {
  std::vector<entry> old(capacity, entry{});
  old.swap(entries_);
  for (const entry& each : old)
    if (each.connections != 0) entries_[find(each.peer)] = each;
}

}  // namespace sluice::detail
