#include <sluice/redis/request_decoder.hpp>

#include <sluice/redis/integer.hpp>

#include <algorithm>

#include "inline_command.hpp"

namespace sluice::redis {
namespace {

using result = framing::decode_result<request_decoder::message_type>;

constexpr std::size_t max_line = 64 * 1024;
constexpr std::size_t kept_arguments = 64 * 1024;  // storage for more is given back after the request that needed it
constexpr auto npos = std::string_view::npos;

// Reads a length and its CR LF. Returns where they end; null if it is longer than lengths of sound requests are, or not all there, or no
// number.
const char* read_length(const char* at, const char* end, std::size_t& length) noexcept {
  constexpr std::ptrdiff_t most_digits = 9;
  const char* const begin = at;
  length = 0;
  for (; at != end && *at >= '0' && *at <= '9'; ++at) length = length * 10 + static_cast<std::size_t>(*at - '0');
  const auto digits = at - begin;
  const bool is_sound = digits == 1 || (digits > 1 && digits <= most_digits && *begin != '0');
  return is_sound && end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : nullptr;
}

}  // namespace

result request_decoder::decode(const_bytes input) {
  if (error_) return result::failed(error_);
  if (state_ == state::start && scanned_ == 0) {  // at the first look at a request only, so that none is read over and over
    if (const auto size = read_whole(as_text(input))) return result::complete(arguments_, size);
  }
  for (std::size_t begin = 0;;) {
    const auto text = as_text(input.subspan(begin));
    const auto outcome = advance(text);
    if (outcome == step::stuck) return result::more(begin, wanted(text.size()));
    if (outcome == step::failed) return result::failed(error_);
    if (outcome == step::advanced) continue;
    begin += position_;
    restart();
    if (outcome == step::complete) return result::complete(arguments_, begin);
  }
}

// The short way for what nearly all requests are: an array that is here whole, well-formed and within the limits. Returns its size; 0, with
// nothing decided, for anything else, of which the long way says what it is.
std::size_t request_decoder::read_whole(std::string_view text) {
  if (!text.starts_with('*')) return 0;
  const char* at = text.data() + 1;
  const char* const end = text.data() + std::min(text.size(), limits_.max_request);
  std::size_t count = 0;
  std::size_t size = 0;
  at = read_length(at, end, count);
  if (at == nullptr || count == 0 || count > std::min(limits_.max_arguments, kept_arguments)) return 0;
  forget_arguments();
  for (; count > 0; --count) {
    if (at == end || *at != '$') return 0;
    at = read_length(at + 1, end, size);
    if (at == nullptr || size > limits_.max_bulk || static_cast<std::size_t>(end - at) < size + 2) return 0;
    arguments_.emplace_back(at, size);
    at += size + 2;
  }
  return static_cast<std::size_t>(at - text.data());
}

request_decoder::step request_decoder::advance(std::string_view text) {
  switch (state_) {
    case state::start:
      if (text.empty()) return step::stuck;
      return text.front() == '*' ? read_array_header(text) : read_inline(text);
    case state::bulk_header: return read_bulk_header(text);
    case state::bulk_body: return read_bulk_body(text);
  }
  return step::failed;
}

request_decoder::step request_decoder::read_inline(std::string_view text) {
  const auto end = find_in_line(text, '\n');
  if (end == npos) return unended_line(text, errc::inline_too_big);
  auto line = text.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  position_ = end + 1;
  if (!split_inline_command(line, inline_text_, arguments_)) return fail(errc::unbalanced_quotes);
  return arguments_.empty() ? step::skipped : step::complete;
}

request_decoder::step request_decoder::read_array_header(std::string_view text) {
  const auto end = find_in_line(text, '\r');
  if (end == npos) return unended_line(text, errc::multibulk_count_too_big);
  if (text.size() < end + 2) return step::stuck;
  const auto count = parse_integer(text.substr(1, end - 1));
  if (!count || (*count > 0 && static_cast<std::size_t>(*count) > limits_.max_arguments)) return fail(errc::bad_multibulk_length);
  position_ = end + 2;
  if (*count <= 0) return step::skipped;
  remaining_ = static_cast<std::size_t>(*count);
  state_ = state::bulk_header;
  return step::advanced;
}

request_decoder::step request_decoder::read_bulk_header(std::string_view text) {
  const auto end = find_in_line(text, '\r');
  if (end == npos) return unended_line(text, errc::bulk_count_too_big);
  if (text.size() < end + 2) return step::stuck;
  if (text[position_] != '$') return fail(errc::expected_bulk, text.substr(position_, 1));
  const auto size = parse_integer(text.substr(position_ + 1, end - position_ - 1));
  if (!size || *size < 0 || static_cast<std::size_t>(*size) > limits_.max_bulk) return fail(errc::bad_bulk_length);
  bulk_size_ = static_cast<std::size_t>(*size);
  position_ = end + 2;
  if (position_ > limits_.max_request || bulk_size_ + 2 > limits_.max_request - position_) return fail(errc::request_too_big);
  state_ = state::bulk_body;
  return step::advanced;
}

request_decoder::step request_decoder::read_bulk_body(std::string_view text) {
  const auto available = text.size() - position_;
  if (available < 2 || available - 2 < bulk_size_) return step::stuck;
  slices_.push_back({position_, bulk_size_});
  position_ += bulk_size_ + 2;
  state_ = state::bulk_header;
  if (--remaining_ > 0) return step::advanced;
  view_arguments(text);
  return step::complete;
}

// Looks one byte further than the limit, so that a line is too long no matter whether its end is there already.
std::size_t request_decoder::find_in_line(std::string_view text, char searched) noexcept {
  const auto line = text.substr(0, position_ + max_line + 1);
  const auto found = line.find(searched, std::max(scanned_, position_));
  scanned_ = std::min(found, line.size());
  return found;
}

request_decoder::step request_decoder::unended_line(std::string_view text, errc too_big) {
  return text.size() - position_ > max_line ? fail(too_big) : step::stuck;
}

request_decoder::step request_decoder::fail(errc code, std::string_view detail) {
  error_ = code;
  error_text_ = error_.message();
  if (!detail.empty()) error_text_.append(", got '").append(detail).append("'");
  return step::failed;
}

void request_decoder::view_arguments(std::string_view text) {
  forget_arguments();
  for (const auto& where : slices_) arguments_.push_back(text.substr(where.offset, where.size));
}

void request_decoder::forget_arguments() noexcept {
  if (arguments_.capacity() > kept_arguments) arguments_ = std::vector<std::string_view>();
  arguments_.clear();
}

void request_decoder::restart() noexcept {
  state_ = state::start;
  position_ = 0;
  scanned_ = 0;
  if (slices_.capacity() > kept_arguments) slices_ = std::vector<slice>();
  slices_.clear();
}

std::size_t request_decoder::wanted(std::size_t available) const noexcept {
  return state_ == state::bulk_body ? position_ + bulk_size_ + 2 : available + 1;
}

}  // namespace sluice::redis
