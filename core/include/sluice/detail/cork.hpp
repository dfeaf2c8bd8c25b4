#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <sluice/bytes.hpp>

namespace sluice {
class stream_transport;
}

namespace sluice::detail {

// What one turn wrote, by transport and in order, until the turn ends. Also owns the memory that does not change while a turn lasts: the
// receive buffer, and behind it the arena for copies of what lies elsewhere. A span that lies in this memory is remembered, not copied.
class cork {
 public:
  static constexpr std::size_t receive_size = 128 * 1024;  // measured best for echo and for sinks
  static constexpr std::size_t arena_size = 64 * 1024;
  static constexpr std::size_t send_at = 16 * 1024;  // a transport with more than this leaves at once
  static constexpr std::size_t max_records = 64;
  static constexpr std::size_t max_parts = 64;  // of one record

  // What one transport wrote. Most messages are one part, so that is kept in place; further ones are a list by index.
  struct record {
    stream_transport* owner;  // null once it was sent or dropped
    const_bytes first;
    std::uint32_t bytes;
    std::uint16_t parts;
    std::uint8_t second;
    std::uint8_t last;
  };

  cork() : stable_(std::make_unique_for_overwrite<std::byte[]>(receive_size + arena_size)) {}

  mutable_bytes receive_buffer() const noexcept { return {stable_.get(), receive_size}; }

  // The common case of `add`: the first bytes of `owner` in this turn, and no copy. False if it is another case: nothing happened then.
  bool add_first(stream_transport& owner, std::uint8_t& slot, const_bytes data) noexcept {
    if (slot != 0 || !is_stable(data) || data.size() - 1 >= send_at || record_count_ == max_records) return false;
    link_first(owner, slot, data);
    return true;
  }

  // Remembers `data`, which must not be empty, as the next output of `owner`, whose record is `slot` (0: none yet). False if it does not fit:
  // nothing happened then.
  bool add(stream_transport& owner, std::uint8_t& slot, const_bytes data) noexcept;

  record& at(std::uint8_t slot) noexcept { return records_[slot - 1]; }
  std::uint32_t record_count() const noexcept { return record_count_; }

  // Copies the parts of `entry` to `out`, which must hold `entry.parts` of them.
  std::size_t gather(const record& entry, const_bytes* out) const noexcept;

  // Walks over the records, and again over those that were added meanwhile, until none is left.
  record& next_record() noexcept {
    record& entry = records_[walk_++];
    if (walk_ >= record_count_) walk_ = 0;
    return entry;
  }

  // The record's bytes were taken over or dropped. Once none is left, all memory is free for the rest of the turn.
  void settled(record& entry) noexcept {
    entry.owner = nullptr;
    if (++settled_ != record_count_) return;
    arena_used_ = 0;
    record_count_ = settled_ = walk_ = more_count_ = 0;
  }

 private:
  std::byte* arena() const noexcept { return stable_.get() + receive_size; }

  bool is_stable(const_bytes data) const noexcept {
    const auto offset = reinterpret_cast<std::uintptr_t>(data.data()) - reinterpret_cast<std::uintptr_t>(stable_.get());
    return offset < receive_size + arena_size;
  }

  void link_first(stream_transport& owner, std::uint8_t& slot, const_bytes data) noexcept {
    record& entry = records_[record_count_];
    slot = static_cast<std::uint8_t>(++record_count_);
    entry.owner = &owner;
    entry.first = data;
    entry.bytes = static_cast<std::uint32_t>(data.size());
    entry.parts = 1;
  }
  bool has_room(std::uint8_t slot) const noexcept { return slot == 0 ? record_count_ < max_records : more_count_ < max_parts - 1; }
  const_bytes& last_part(record& entry) noexcept { return entry.parts == 1 ? entry.first : more_[entry.last]; }
  bool extend_in_arena(record& entry, const_bytes data) noexcept;
  void link_more(record& entry, const_bytes data) noexcept;

  std::unique_ptr<std::byte[]> stable_;
  std::size_t arena_used_ = 0;
  std::uint32_t record_count_ = 0;
  std::uint32_t settled_ = 0;
  std::uint32_t walk_ = 0;
  std::uint32_t more_count_ = 0;
  record records_[max_records];
  const_bytes more_[max_parts];
  std::uint8_t next_[max_parts];
};

}  // namespace sluice::detail
