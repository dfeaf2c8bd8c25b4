#include "datagram_cork.hpp"

#include <cstring>

namespace sluice::detail {

datagram_cork::datagram_cork()
    : memory_of_own_(std::make_unique_for_overwrite<std::byte[]>(arena_size + 2 * datagram_transport::largest_datagram)) {}

bool datagram_cork::add(datagram_transport& owner, const_bytes data, const address* to) noexcept {
  if (count_ == most) return false;
  if (!lies_in(memory_, data.data(), data.size())) {
    if (data.size() > arena_size - arena_used_) return false;
    std::byte* const copy = memory_of_own_.get() + arena_used_;
    if (!data.empty()) std::memcpy(copy, data.data(), data.size());
    arena_used_ += data.size();
    data = {copy, data.size()};
  }
  if (to != nullptr && !lies_in(addresses_, to, sizeof *to)) {
    copied_[count_] = *to;
    to = &copied_[count_];
  }
  entries_[count_++] = {&owner, {data, to}};
  return true;
}

void datagram_cork::flush() noexcept {
  if (count_ == 0) return;
  datagram_transport* owners[most];
  std::size_t owner_count = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (entries_[i].owner == nullptr) continue;
    owners[owner_count++] = entries_[i].owner;
    send_for(*entries_[i].owner, i);
  }
  count_ = arena_used_ = 0;
  for (std::size_t i = 0; i < owner_count; ++i) owners[i]->after_send();
}

void datagram_cork::send_for(datagram_transport& owner, std::size_t first) noexcept {
  outgoing_datagram batch[most];
  std::size_t n = 0;
  for (std::size_t i = first; i < count_; ++i) {
    if (entries_[i].owner != &owner) continue;
    batch[n++] = entries_[i].what;
    entries_[i].owner = nullptr;
  }
  owner.send_corked({batch, n});
}

void datagram_cork::drop(const datagram_transport& owner) noexcept {
  for (std::size_t i = 0; i < count_; ++i)
    if (entries_[i].owner == &owner) entries_[i].owner = nullptr;
}

}  // namespace sluice::detail
