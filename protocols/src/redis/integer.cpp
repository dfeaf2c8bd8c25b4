#include <sluice/redis/integer.hpp>

#include <charconv>

namespace sluice::redis {

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.starts_with('0') && text != "0") return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace sluice::redis
