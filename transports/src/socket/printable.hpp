#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice::detail {

// Between quotes, and safe for a log line, whatever it holds.
inline std::string printable(std::string_view text) {
  constexpr std::size_t enough = 80;
  std::string shown(text.substr(0, enough));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~' || c == '"'; }, '?');
  return '"' + shown + (text.size() > enough ? "..." : "") + '"';
}

}  // namespace sluice::detail
