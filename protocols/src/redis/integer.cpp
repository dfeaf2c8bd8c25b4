#include <sluice/redis/integer.hpp>

#include <charconv>

namespace sluice::redis {

namespace {

constexpr std::size_t never_too_many = 18;  // digits that fit into 64 bits, whatever they are

}  // namespace

// Lengths and counts are short and without sign: they are on the way of every request.
std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  if (text.size() - 1 < never_too_many && text.front() != '-') {
    if (text.front() == '0' && text.size() > 1) return std::nullopt;
    std::int64_t number = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      number = number * 10 + (c - '0');
    }
    return number;
  }
  const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.starts_with('0') && text != "0") return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace sluice::redis
