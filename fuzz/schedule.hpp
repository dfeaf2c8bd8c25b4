#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sluice/bytes.hpp>

// Takes the schedule off the front of the input.
class schedule {
 public:
  schedule(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  bool is_over() const { return left_.empty(); }
  std::uint8_t next() {
    if (left_.empty()) return 0;
    const std::uint8_t value = left_[0];
    left_ = left_.subspan(1);
    return value;
  }
  sluice::const_bytes piece(std::size_t size) {
    const auto result = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(result.size());
    return std::as_bytes(result);
  }

 private:
  std::span<const std::uint8_t> left_;
};
