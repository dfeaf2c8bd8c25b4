#pragma once

#include <cstddef>
#include <cstdint>

#include <sluice/address.hpp>
#include <sluice/bytes.hpp>
#include <sluice/detail/chunk.hpp>

namespace sluice::detail {

// Datagrams with their addresses, first in, first out, in chunks of a pool, which is passed in as for `chunk_queue`.
class datagram_queue {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  // Of the datagrams alone.
  std::size_t bytes() const noexcept { return bytes_; }

  // Throws std::bad_alloc with nothing added.
  void append(chunk_pool& pool, const_bytes data, const address& peer);

  // Where a look at the queue has come to.
  struct place {
    std::size_t offset = 0;
    std::size_t count = 0;
  };
  // One datagram of the queue. Its bytes are in the queue, or where they had to be joined.
  struct item {
    const_bytes data;
    address peer;
    bool joined = false;
  };
  // The datagram at `at`, which must not be the end, and moves `at` behind it. `room` takes bytes that lie in two chunks. Valid until
  // consumed.
  item next(place& at, mutable_bytes room) const noexcept;
  // Moves the first one, which must be there, into `room`.
  item take(chunk_pool& pool, mutable_bytes room) noexcept;
  bool is_end(const place& at) const noexcept { return at.count == count_; }
  // Removes the first `n` <= count() of them.
  void consume(chunk_pool& pool, std::size_t n) noexcept;
  void clear(chunk_pool& pool) noexcept;

 private:
  // What stands before each one's name, which is followed by its bytes.
  struct header {
    std::uint32_t size;
    std::uint32_t scope_id;
    std::uint16_t port;
    address_family family;
    std::uint8_t name_size;
  };
  header header_at(std::size_t offset) const noexcept;
  void copy(std::size_t offset, mutable_bytes into) const noexcept;

  chunk_queue chunks_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::detail
