#include <sluice/detail/cork.hpp>

#include <cstring>

namespace sluice::detail {

bool cork::add(stream_transport& owner, std::uint8_t& slot, const_bytes data) noexcept {
  const std::size_t before = slot == 0 ? 0 : at(slot).bytes;
  if (before + data.size() > send_at) return false;
  if (!is_stable(data)) {
    if (data.size() > arena_size - arena_used_) return false;
    if (slot != 0 && extend_in_arena(at(slot), data)) return true;
    if (!has_room(slot)) return false;
    std::byte* const copy = arena() + arena_used_;
    std::memcpy(copy, data.data(), data.size());
    arena_used_ += data.size();
    data = {copy, data.size()};
  }
  if (!has_room(slot)) return false;
  slot == 0 ? link_first(owner, slot, data) : link_more(at(slot), data);
  return true;
}

// Small writes one after the other become one part.
bool cork::extend_in_arena(record& entry, const_bytes data) noexcept {
  const_bytes& last = last_part(entry);
  std::byte* const end = arena() + arena_used_;
  if (last.data() + last.size() != end) return false;
  std::memcpy(end, data.data(), data.size());
  last = {last.data(), last.size() + data.size()};
  entry.bytes += static_cast<std::uint32_t>(data.size());
  arena_used_ += data.size();
  return true;
}

void cork::link_more(record& entry, const_bytes data) noexcept {
  const auto part = static_cast<std::uint8_t>(more_count_++);
  more_[part] = data;
  (entry.parts == 1 ? entry.second : next_[entry.last]) = part;
  entry.last = part;
  entry.bytes += static_cast<std::uint32_t>(data.size());
  ++entry.parts;
}

std::size_t cork::gather(const record& entry, const_bytes* out) const noexcept {
  out[0] = entry.first;
  std::size_t count = 1;
  for (std::size_t index = entry.second; count < entry.parts; index = next_[index]) out[count++] = more_[index];
  return count;
}

}  // namespace sluice::detail
