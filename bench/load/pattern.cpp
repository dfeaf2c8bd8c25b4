#include "pattern.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>

namespace load {
namespace {

constexpr std::size_t period = 65'521;  // a prime: no multiple of a message or of a buffer, and little enough for the cache
constexpr std::size_t between_connections = 7'919;

}  // namespace

pattern::pattern(std::size_t largest) : largest_(largest), bytes_(period + largest) {
  std::minstd_rand random(1);
  for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = i < period ? static_cast<std::byte>(random() >> 8) : bytes_[i - period];
}

std::span<const std::byte> pattern::at(std::size_t connection, std::uint64_t position, std::size_t size) const {
  if (size > largest_) throw std::logic_error("a piece of the pattern is larger than was said");
  return std::span(bytes_).subspan((position + connection * between_connections) % period, size);
}

void pattern::check(std::size_t connection, std::uint64_t position, std::span<const std::byte> data) const {
  const auto expected = at(connection, position, data.size());
  if (std::memcmp(expected.data(), data.data(), data.size()) == 0) return;
  const auto [wrong, right] = std::mismatch(data.begin(), data.end(), expected.begin());
  throw std::runtime_error("connection " + std::to_string(connection) + ": byte " +
                           std::to_string(position + static_cast<std::uint64_t>(wrong - data.begin())) + " is " +
                           std::to_string(std::to_integer<int>(*wrong)) + ", and not " + std::to_string(std::to_integer<int>(*right)) +
                           " as it was sent");
}

}  // namespace load
