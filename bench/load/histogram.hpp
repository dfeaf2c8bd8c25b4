#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace load {

/// Counts of 64-bit values in buckets that are at most 1.6 % wide, so that recording takes the same few nanoseconds for every value.
class histogram {
 public:
  void record(std::uint64_t value) noexcept {
    ++counts_[bucket(value)];
    ++total_;
  }
  void clear() noexcept {
    counts_.fill(0);
    total_ = 0;
  }
  std::uint64_t total() const noexcept { return total_; }

  /// The value that `share` (0 to 1) of all recorded ones do not exceed, as the middle of its bucket; 0 if there is none.
  std::uint64_t quantile(double share) const noexcept;

 private:
  // Values below 128 have a bucket each; above, every power of two is cut into 64.
  static constexpr unsigned bits = 6;
  static constexpr std::size_t size = (64 - bits + 1) << bits;

  static std::size_t bucket(std::uint64_t value) noexcept {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > bits + 1 ? width - (bits + 1) : 0;
    return (static_cast<std::size_t>(shift) << bits) + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t middle(std::size_t bucket) noexcept;

  std::array<std::uint64_t, size> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace load
