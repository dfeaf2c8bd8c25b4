#include <sluice/framing/line.hpp>

#include <sluice/error.hpp>

#include <algorithm>
#include <stdexcept>

namespace sluice::framing {
namespace {

using result = decode_result<const_bytes>;

}  // namespace

line_ending line_ending::custom(std::string_view bytes) {
  if (bytes.empty()) throw std::invalid_argument("line_ending::custom: an ending needs at least one byte");
  return line_ending(bytes, trim::nothing);
}

result line_decoder::decode(const_bytes input) {
  if (error_) return result::failed(error_);
  const auto text = as_text(input);
  const auto& ending = options_.ending.bytes();
  const auto end = text.find(ending, scanned_);
  if (end == std::string_view::npos) return look_further(text);
  const auto length = length_before(text, end);
  if (length > options_.max_length) return result::failed(error_ = errc::message_too_long);
  scanned_ = 0;
  return result::complete(input.first(length), end + ending.size());
}

std::size_t line_decoder::length_before(std::string_view text, std::size_t end) const noexcept {
  return options_.ending.strips_carriage_return() && end > 0 && text[end - 1] == '\r' ? end - 1 : end;
}

result line_decoder::look_further(std::string_view text) {
  if (is_too_long(text)) return result::failed(error_ = errc::message_too_long);
  const auto overlap = options_.ending.bytes().size() - 1;
  scanned_ = text.size() > overlap ? text.size() - overlap : 0;
  return result::more(0, text.size() + 1);
}

// `text` holds no whole ending. The line can still be short enough if an ending may start at or before the limit.
bool line_decoder::is_too_long(std::string_view text) const noexcept {
  const auto limit = options_.max_length;
  if (text.size() <= limit) return false;
  if (options_.ending.strips_carriage_return()) return text.size() > limit + 1 || text[limit] != '\r';
  const auto& ending = options_.ending.bytes();
  const auto overlap = ending.size() - 1;
  for (auto start = text.size() - std::min(overlap, text.size()); start <= limit; ++start)
    if (ending.starts_with(text.substr(start))) return false;
  return true;
}

}  // namespace sluice::framing
