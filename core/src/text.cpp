#include "text.hpp"

namespace sluice::detail {
namespace {

constexpr std::string_view hex_digits = "0123456789ABCDEF";

void append_hex(std::string& out, char c) {
  const auto value = static_cast<unsigned char>(c);
  out += hex_digits[value >> 4];
  out += hex_digits[value & 15];
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string quote(std::string_view text, std::size_t limit) {
  std::string out = "\"";
  for (const char c : text.substr(0, limit)) {
    if (is_printable_ascii(c)) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    } else {
      out += "\\x";
      append_hex(out, c);
    }
  }
  out += text.size() > limit ? "\"..." : "\"";
  return out;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max) noexcept {
  std::uint64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value > max) return std::nullopt;
  return value;
}

bool take_percent(std::string_view text, std::size_t& at, char& out) noexcept {
  if (text[at] != '%') {
    out = text[at++];
    return true;
  }
  if (text.size() - at < 3) return false;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  if (high < 0 || low < 0) return false;
  out = static_cast<char>(high * 16 + low);
  at += 3;
  return true;
}

void append_percent(std::string& out, std::string_view text, std::string_view reserved) {
  for (const char c : text) {
    if (is_printable_ascii(c) && c != '%' && c != ' ' && c != '"' && reserved.find(c) == reserved.npos) {
      out += c;
    } else {
      out += '%';
      append_hex(out, c);
    }
  }
}

}  // namespace sluice::detail
