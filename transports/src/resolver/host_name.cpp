#include <sluice/resolver.hpp>

#include <algorithm>

namespace sluice {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_label(std::string_view text) noexcept {
  constexpr std::size_t longest = 63;
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

// What ends in one is an address in one of the old spellings ("127.1", "0x7f000001"), which the system would not ask anybody for.
bool is_number(std::string_view label) noexcept {
  if (label.starts_with("0x") || label.starts_with("0X")) return std::all_of(label.begin() + 2, label.end(), is_hex);
  return std::all_of(label.begin(), label.end(), is_digit);
}

}  // namespace

bool is_host_name(std::string_view text) noexcept {
  constexpr std::size_t longest = 253;
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.size() > longest) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == text.npos) return !is_number(label);
    text.remove_prefix(dot + 1);
  }
}

}  // namespace sluice
