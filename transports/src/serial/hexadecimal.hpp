#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace sluice::serial::detail {

// All of `text` as a number, without a sign or a prefix.
template <typename Number>
std::optional<Number> hexadecimal(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}  // namespace sluice::serial::detail
