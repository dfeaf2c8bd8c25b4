#pragma once

#include <sluice/bytes.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace sluice::serial {

// The bytes of a packet that is not complete: read into place, given away together. All memory is taken when it is made.
class packet_collector {
 public:
  explicit packet_collector(std::size_t size) : bytes_(size) {}

  // Never empty: a full packet is taken before the next read.
  mutable_bytes room() noexcept { return mutable_bytes(bytes_).subspan(filled_); }
  void add(std::size_t n) noexcept { filled_ += n; }
  bool is_empty() const noexcept { return filled_ == 0; }
  bool is_full() const noexcept { return filled_ == bytes_.size(); }
  // Valid until the next `add`.
  const_bytes take() noexcept { return const_bytes(bytes_).first(std::exchange(filled_, 0)); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t filled_ = 0;
};

}  // namespace sluice::serial
