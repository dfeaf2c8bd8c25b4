#include <sluice/redis/glob.hpp>

#include <algorithm>

namespace sluice::redis {
namespace {

unsigned char byte_of(char c) noexcept { return static_cast<unsigned char>(c); }

bool is_between(char c, char one, char other) noexcept {
  return byte_of(c) >= std::min(byte_of(one), byte_of(other)) && byte_of(c) <= std::max(byte_of(one), byte_of(other));
}

// Whether one element of a set holds `c`; takes the element off the front of `set`.
bool element_matches(std::string_view& set, char c) noexcept {
  if (set.starts_with('\\') && set.size() >= 2) {
    const bool found = set[1] == c;
    set.remove_prefix(2);
    return found;
  }
  if (set.size() >= 3 && set[1] == '-') {
    const bool found = is_between(c, set[0], set[2]);
    set.remove_prefix(3);
    return found;
  }
  const bool found = set[0] == c;
  set.remove_prefix(1);
  return found;
}

// `pattern` starts behind `[`; the whole set is taken off it.
bool set_matches(std::string_view& pattern, char c) noexcept {
  const bool is_negated = pattern.starts_with('^');
  if (is_negated) pattern.remove_prefix(1);
  bool found = false;
  while (!pattern.empty() && pattern.front() != ']') found |= element_matches(pattern, c);
  if (!pattern.empty()) pattern.remove_prefix(1);
  return found != is_negated;
}

// Whether what `pattern` starts with, which is not `*`, matches `c`; takes it off.
bool one_matches(std::string_view& pattern, char c) noexcept {
  const char first = pattern.front();
  pattern.remove_prefix(1);
  if (first == '?') return true;
  if (first == '[') return set_matches(pattern, c);
  if (first != '\\' || pattern.empty()) return first == c;
  const char escaped = pattern.front();
  pattern.remove_prefix(1);
  return escaped == c;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) noexcept {
  // Only the last `*` ever needs to take more: what an earlier one could take, that one can.
  constexpr auto none = std::string_view::npos;
  auto rest = pattern;
  auto behind_star = pattern;
  std::size_t star_end = none;  // the last `*` has taken the text up to here
  for (std::size_t at = 0; at < text.size();) {
    if (rest.starts_with('*')) {
      rest.remove_prefix(1);
      behind_star = rest;
      star_end = at;
    } else if (!rest.empty() && one_matches(rest, text[at])) {
      ++at;
    } else if (star_end == none) {
      return false;
    } else {
      rest = behind_star;
      at = ++star_end;
    }
  }
  return rest.find_first_not_of('*') == none;
}

}  // namespace sluice::redis
