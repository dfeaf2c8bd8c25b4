#include <sluice/detail/datagram_queue.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include <sluice/detail/address_access.hpp>

namespace sluice::detail {
namespace {

constexpr std::size_t longest_name = 128;

}  // namespace

void datagram_queue::append(chunk_pool& pool, const_bytes data, const address& peer) {
  const std::string_view name = address_access::bytes(peer);
  const header made{static_cast<std::uint32_t>(data.size()), peer.scope_id(), peer.port(), peer.family(),
                    static_cast<std::uint8_t>(name.size())};
  std::array<std::byte, sizeof(header) + longest_name> front;
  std::memcpy(front.data(), &made, sizeof made);
  std::memcpy(front.data() + sizeof made, name.data(), name.size());
  chunks_.append(pool, {front.data(), sizeof made + name.size()}, data);
  ++count_;
  bytes_ += data.size();
}

void datagram_queue::copy(std::size_t offset, mutable_bytes into) const noexcept {
  const_bytes parts[4];
  while (!into.empty()) {
    const std::size_t count = chunks_.gather(parts, offset);
    for (std::size_t i = 0; i < count && !into.empty(); ++i) {
      const std::size_t n = std::min(parts[i].size(), into.size());
      std::memcpy(into.data(), parts[i].data(), n);
      into = into.subspan(n);
      offset += n;
    }
  }
}

datagram_queue::header datagram_queue::header_at(std::size_t offset) const noexcept {
  header found;
  copy(offset, std::as_writable_bytes(std::span(&found, 1)));
  return found;
}

datagram_queue::item datagram_queue::next(place& at, mutable_bytes room) const noexcept {
  const header front = header_at(at.offset);
  std::array<std::byte, longest_name> name;
  copy(at.offset + sizeof front, {name.data(), front.name_size});
  const std::size_t begin = at.offset + sizeof front + front.name_size;
  at = {begin + front.size, at.count + 1};
  item found{{}, address_access::make(front.family, as_text({name.data(), front.name_size}), front.port, front.scope_id), false};
  const_bytes part;
  if (front.size != 0 && chunks_.gather({&part, 1}, begin) == 1 && part.size() >= front.size) {
    found.data = part.first(front.size);
  } else {
    found.joined = front.size != 0;
    found.data = room.first(front.size);
    copy(begin, room.first(front.size));
  }
  return found;
}

datagram_queue::item datagram_queue::take(chunk_pool& pool, mutable_bytes room) noexcept {
  place front;
  item taken = next(front, room);
  if (!taken.data.empty() && !taken.joined) std::memcpy(room.data(), taken.data.data(), taken.data.size());
  taken.data = room.first(taken.data.size());
  taken.joined = true;
  consume(pool, 1);
  return taken;
}

void datagram_queue::consume(chunk_pool& pool, std::size_t n) noexcept {
  for (; n != 0; --n, --count_) {
    const header front = header_at(0);
    chunks_.consume(pool, sizeof front + front.name_size + front.size);
    bytes_ -= front.size;
  }
}

void datagram_queue::clear(chunk_pool& pool) noexcept {
  chunks_.clear(pool);
  count_ = bytes_ = 0;
}

}  // namespace sluice::detail
