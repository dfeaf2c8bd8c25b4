#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::detail {

/// Values of endpoint options from text; nothing if malformed or out of range. Bounds are inclusive.
std::optional<std::int64_t> parse_integer_option(std::string_view text, std::int64_t min, std::int64_t max) noexcept;
/// on, true, yes, 1; off, false, no, 0.
std::optional<bool> parse_flag_option(std::string_view text) noexcept;

struct duration_limits {
  std::chrono::nanoseconds min;
  std::chrono::nanoseconds max;
  std::chrono::nanoseconds step;  // what the field that takes the value can tell apart
};
/// A whole number and us, ms, s, m or h; 0 alone needs no unit.
std::optional<std::chrono::nanoseconds> parse_duration_option(std::string_view text, const duration_limits& limits) noexcept;

/// A whole number of bytes, or of KiB, MiB or GiB if one of these follows.
std::optional<std::uint64_t> parse_size_option(std::string_view text, std::uint64_t min, std::uint64_t max) noexcept;
/// Octal digits, at most 07777.
std::optional<unsigned> parse_mode_option(std::string_view text) noexcept;

/// What the errors of those say would be right: "a number from 1 to 65535", "a duration from 0 to 1h, such as 30s or 250ms".
std::string describe_integer(std::int64_t min, std::int64_t max);
std::string describe_duration(const duration_limits& limits);
std::string describe_size(std::uint64_t min, std::uint64_t max);

}  // namespace sluice::detail
