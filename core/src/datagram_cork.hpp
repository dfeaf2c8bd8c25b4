#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <sluice/datagram_transport.hpp>

namespace sluice::detail {

// What one turn sends, datagram by datagram and in order, until the turn ends. What lies in memory that a channel lent for the turn is
// remembered, anything else is copied.
class datagram_cork {
 public:
  static constexpr std::size_t most = datagram_transport::most_per_batch;

  datagram_cork();

  // Adds a datagram of `owner` to `to`, null for its connected peer. False if it does not fit: nothing happened then.
  bool add(datagram_transport& owner, const_bytes data, const address* to) noexcept;
  // Hands everything to its transports, one batch each, and tells them so when all memory is free again: they may call back then.
  void flush() noexcept;
  // Forgets what `owner` has in here.
  void drop(const datagram_transport& owner) noexcept;

  // From now on `memory`, and the addresses in `batch`, do not change.
  void lend(std::span<const incoming_datagram> batch, const_bytes memory) noexcept {
    addresses_ = std::as_bytes(batch);
    memory_ = memory;
  }
  // Sends what may refer to what was lent.
  void take_back() noexcept {
    flush();
    addresses_ = memory_ = {};
  }

  // For one datagram that is sent and lies in two chunks; and for one that is delivered after it was held.
  mutable_bytes joining_room() const noexcept { return {memory_of_own_.get() + arena_size, datagram_transport::largest_datagram}; }
  mutable_bytes room_for_held() const noexcept {
    return {memory_of_own_.get() + arena_size + datagram_transport::largest_datagram, datagram_transport::largest_datagram};
  }

 private:
  static constexpr std::size_t arena_size = 2 * datagram_transport::largest_datagram;

  struct entry {
    datagram_transport* owner;  // null: dropped, or sent
    outgoing_datagram what;
  };

  static bool lies_in(const_bytes place, const void* at, std::size_t size) noexcept {
    const auto offset = reinterpret_cast<std::uintptr_t>(at) - reinterpret_cast<std::uintptr_t>(place.data());
    return offset <= place.size() && size <= place.size() - offset;
  }
  void send_for(datagram_transport& owner, std::size_t first) noexcept;

  std::unique_ptr<std::byte[]> memory_of_own_;  // the arena for copies, then the two rooms
  std::size_t arena_used_ = 0;
  std::size_t count_ = 0;
  const_bytes memory_;     // lent
  const_bytes addresses_;  // lent
  entry entries_[most];
  address copied_[most];  // by index of the entry
};

}  // namespace sluice::detail
