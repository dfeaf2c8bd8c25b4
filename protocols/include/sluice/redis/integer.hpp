#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::redis {

/// The integer that `text` is, by the rule that Redis has for lengths and for values alike: the one canonical decimal form of a number of 64
/// bits. A plus sign, a leading zero, "-0", blanks, an empty text and what overflows are no integers.
std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

}  // namespace sluice::redis
