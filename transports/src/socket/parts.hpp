#pragma once

#include <sluice/bytes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::detail {

constexpr std::size_t most_parts = 128;  // what the engine hands over at most

// At most `most` bytes of `parts`, from byte `skip` on.
inline std::span<const const_bytes> slice(std::span<const const_bytes> parts, std::size_t skip, std::uint64_t most,
                                          std::array<const_bytes, most_parts>& out) {
  std::size_t count = 0;
  for (const const_bytes part : parts) {
    if (most == 0) break;
    const std::size_t skipped = std::min(skip, part.size());
    skip -= skipped;
    if (skipped == part.size()) continue;
    const std::size_t size = std::min<std::uint64_t>(most, part.size() - skipped);
    out[count++] = part.subspan(skipped, size);
    most -= size;
  }
  return {out.data(), count};
}

inline std::size_t total_of(std::span<const const_bytes> parts) noexcept {
  std::size_t total = 0;
  for (const const_bytes part : parts) total += part.size();
  return total;
}

}  // namespace sluice::detail
