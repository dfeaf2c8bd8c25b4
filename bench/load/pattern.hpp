#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace load {

/// The endless stream of bytes that each connection sends and must get back: a byte in the wrong place or on the wrong connection is
/// all but certain to differ.
class pattern {
 public:
  /// Pieces have up to `largest` bytes.
  explicit pattern(std::size_t largest);

  /// The `size` bytes from `position` on of the stream of `connection`.
  std::span<const std::byte> at(std::size_t connection, std::uint64_t position, std::size_t size) const;

  /// Throws std::runtime_error, which says where, unless `data` are the bytes from `position` on.
  void check(std::size_t connection, std::uint64_t position, std::span<const std::byte> data) const;

 private:
  std::size_t largest_;
  std::vector<std::byte> bytes_;  // one period and, once more, its first `largest_` bytes
};

}  // namespace load
