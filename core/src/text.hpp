#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::detail {

/// `text` between double quotes, safe for a log line: bytes that are not printable ASCII as \xNN, clipped after `limit` characters of `text`.
std::string quote(std::string_view text, std::size_t limit = 200);

/// Decimal digits and nothing else, at most `max`.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max) noexcept;

/// Reads one character of percent-encoded text at `at` and advances it; false, without advancing, when a bad escape stands there.
bool take_percent(std::string_view text, std::size_t& at, char& out) noexcept;

/// Appends `text` with everything encoded that is not printable ASCII, and '%', ' ', '"' and the characters of `reserved`.
void append_percent(std::string& out, std::string_view text, std::string_view reserved);

/// Control characters and DEL.
constexpr bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr bool is_printable_ascii(char c) noexcept { return c >= 0x20 && c < 0x7f; }

}  // namespace sluice::detail
