#include <sluice/detail/option_values.hpp>

#include <array>
#include <charconv>
#include <limits>

#include "text.hpp"

namespace sluice::detail {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t size;
};

// In rising order: the last one that divides a value is the one to write it in.
constexpr std::array<unit, 5> time_units{
    {{"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}}};
constexpr std::array<unit, 4> size_units{{{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};

/// A number in one of `units`, at most `max`.
template <std::size_t N>
std::optional<std::uint64_t> parse_in_units(std::string_view text, const std::array<unit, N>& units, std::uint64_t max) noexcept {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  for (const auto& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    const auto number = parse_decimal(text.substr(0, digits), max / unit.size);
    return number ? std::optional(*number * unit.size) : std::nullopt;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string in_units(std::uint64_t value, const std::array<unit, N>& units) {
  if (value == 0) return "0";
  auto best = units.front();
  for (const auto& unit : units)
    if (value % unit.size == 0) best = unit;
  return std::to_string(value / best.size) + std::string(best.name);
}

std::string in_time_units(std::chrono::nanoseconds value) { return in_units(static_cast<std::uint64_t>(value.count()), time_units); }

}  // namespace

std::optional<std::int64_t> parse_integer_option(std::string_view text, std::int64_t min, std::int64_t max) noexcept {
  std::int64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < min || value > max) return std::nullopt;
  return value;
}

std::optional<bool> parse_flag_option(std::string_view text) noexcept {
  for (const std::string_view yes : {"on", "true", "yes", "1"})
    if (text == yes) return true;
  for (const std::string_view no : {"off", "false", "no", "0"})
    if (text == no) return false;
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> parse_duration_option(std::string_view text, const duration_limits& limits) noexcept {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto count = text == "0" ? std::optional<std::uint64_t>(0) : parse_in_units(text, time_units, most);
  if (!count) return std::nullopt;
  const std::chrono::nanoseconds value(static_cast<std::int64_t>(*count));
  if (value < limits.min || value > limits.max || value % limits.step != std::chrono::nanoseconds::zero()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size_option(std::string_view text, std::uint64_t min, std::uint64_t max) noexcept {
  const auto value = parse_in_units(text, size_units, max);
  return value && *value >= min ? value : std::nullopt;
}

std::optional<unsigned> parse_mode_option(std::string_view text) noexcept {
  unsigned value = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 8);
  if (error != std::errc() || stop != end || value > 07777) return std::nullopt;
  return value;
}

std::string describe_integer(std::int64_t min, std::int64_t max) {
  return "a number from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string describe_duration(const duration_limits& limits) {
  const std::string range = "a duration from " + in_time_units(limits.min) + " to " + in_time_units(limits.max);
  if (limits.step <= std::chrono::milliseconds(1)) return range + ", such as 30s or 250ms";
  return range + " in steps of " + in_time_units(limits.step) + ", such as 30s or 5m";
}

std::string describe_size(std::uint64_t min, std::uint64_t max) {
  const std::string examples = "such as 65536, 64KiB or 1MiB";
  if (min == 0 && max >= std::numeric_limits<std::uint32_t>::max()) return "a size " + examples;
  return "a size from " + in_units(min, size_units) + " to " + in_units(max, size_units) + ", " + examples;
}

}  // namespace sluice::detail
