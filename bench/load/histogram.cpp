#include "histogram.hpp"

#include <algorithm>
#include <cmath>

namespace load {

std::uint64_t histogram::middle(std::size_t bucket) noexcept {
  const std::size_t shift = bucket >> bits > 1 ? (bucket >> bits) - 1 : 0;
  const std::uint64_t lowest = static_cast<std::uint64_t>(bucket - (shift << bits)) << shift;
  return lowest + ((std::uint64_t{1} << shift) - 1) / 2;
}

std::uint64_t histogram::quantile(double share) const noexcept {
  if (total_ == 0) return 0;
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < size; ++i) {
    seen += counts_[i];
    if (seen >= rank) return middle(i);
  }
  return middle(size - 1);
}

}  // namespace load
