#include <sluice/redis/reply_decoder.hpp>

#include <sluice/redis/integer.hpp>

#include <algorithm>
#include <utility>

namespace sluice::redis {
namespace {

using result = framing::decode_result<reply_decoder::message_type>;

constexpr std::size_t kept_values = 64 * 1024;  // storage for more is given back after the reply that needed it
constexpr auto npos = std::string_view::npos;

}  // namespace

result reply_decoder::decode(const_bytes input) {
  if (error_) return result::failed(error_);
  if (position_ == 0) drop_last_reply();
  const auto text = as_text(input);
  while (true) {
    switch (advance(text)) {
      case step::advanced: break;
      case step::stuck: return result::more(0, wanted(text.size()));
      case step::failed: return result::failed(error_);
      case step::complete: view_texts(text); return result::complete(values_, end_reply());
    }
  }
}

reply_decoder::step reply_decoder::advance(std::string_view text) {
  switch (state_) {
    case state::value_line: return read_line(text);
    case state::bulk_body: return read_bulk_body(text);
  }
  return step::failed;
}

reply_decoder::step reply_decoder::read_line(std::string_view text) {
  if (position_ < text.size() && std::string_view("+-:$*").find(text[position_]) == npos) return fail(errc::bad_reply_type);
  const bool is_over = text.size() - position_ > limits_.max_line;
  const auto line = is_over ? text.substr(0, position_ + limits_.max_line + 1) : text;
  const auto end = line.find_first_of("\r\n", std::max(scanned_, position_));
  scanned_ = std::min(end, line.size());
  if (end == npos) return is_over ? fail(errc::line_too_long) : step::stuck;
  if (text[end] == '\n') return fail(errc::missing_line_end);
  if (text.size() == end + 1) return step::stuck;
  if (text[end + 1] != '\n') return fail(errc::missing_line_end);
  return read_value(text.substr(0, end));
}

// `head` is the reply so far, up to the end of the line at position_.
reply_decoder::step reply_decoder::read_value(std::string_view head) {
  const char type = head[position_];
  const slice where{position_ + 1, head.size() - position_ - 1};
  const auto content = head.substr(where.offset);
  position_ = head.size() + 2;
  if (position_ > limits_.max_reply) return fail(errc::reply_too_big);
  if (type == '+') return add(reply_type::simple, where, 0);
  if (type == '-') return add(reply_type::error, where, 0);
  if (type == ':') return read_integer(content);
  return type == '$' ? begin_bulk(content) : begin_array(content);
}

reply_decoder::step reply_decoder::read_integer(std::string_view digits) {
  const auto number = parse_integer(digits);
  return number ? add(reply_type::integer, {}, *number) : fail(errc::bad_integer);
}

reply_decoder::step reply_decoder::begin_bulk(std::string_view digits) {
  const auto size = parse_integer(digits);
  if (size == -1) return add(reply_type::null, {}, 0);
  if (!size || *size < 0 || static_cast<std::size_t>(*size) > limits_.max_bulk) return fail(errc::bad_bulk_length);
  bulk_size_ = static_cast<std::size_t>(*size);
  if (bulk_size_ + 2 > limits_.max_reply - position_) return fail(errc::reply_too_big);
  state_ = state::bulk_body;
  return step::advanced;
}

reply_decoder::step reply_decoder::begin_array(std::string_view digits) {
  const auto count = parse_integer(digits);
  if (!count || *count < -1) return fail(errc::bad_array_length);
  if (*count <= 0) return add(*count < 0 ? reply_type::null : reply_type::array, {}, 0);
  if (static_cast<std::size_t>(*count) > limits_.max_values) return fail(errc::reply_too_big);
  if (open_.size() == limits_.max_depth) return fail(errc::reply_too_deep);
  if (!append(reply_type::array, {}, *count)) return step::failed;
  open_.push_back(*count);
  return step::advanced;
}

reply_decoder::step reply_decoder::read_bulk_body(std::string_view text) {
  const auto available = text.size() - position_;
  if (available < 2 || available - 2 < bulk_size_) return step::stuck;
  if (text.substr(position_ + bulk_size_, 2) != "\r\n") return fail(errc::missing_line_end);
  const slice where{position_, bulk_size_};
  position_ += bulk_size_ + 2;
  state_ = state::value_line;
  return add(reply_type::bulk, where, 0);
}

// A whole value: also counts as an element of the array around it, whose end may be the end of further ones.
reply_decoder::step reply_decoder::add(reply_type type, slice where, std::int64_t integer) {
  if (!append(type, where, integer)) return step::failed;
  while (!open_.empty() && --open_.back() == 0) open_.pop_back();
  return open_.empty() ? step::complete : step::advanced;
}

bool reply_decoder::append(reply_type type, slice where, std::int64_t integer) {
  if (values_.size() == limits_.max_values) {
    fail(errc::reply_too_big);
    return false;
  }
  values_.push_back({type, {}, integer});
  slices_.push_back(where);
  return true;
}

reply_decoder::step reply_decoder::fail(errc code) noexcept {
  error_ = code;
  return step::failed;
}

void reply_decoder::view_texts(std::string_view text) noexcept {
  for (std::size_t i = 0; i < values_.size(); ++i) values_[i].text = text.substr(slices_[i].offset, slices_[i].size);
}

std::size_t reply_decoder::end_reply() noexcept {
  scanned_ = 0;
  return std::exchange(position_, 0);
}

void reply_decoder::drop_last_reply() noexcept {
  if (values_.capacity() > kept_values) {
    values_ = std::vector<reply_value>();
    slices_ = std::vector<slice>();
  }
  values_.clear();
  slices_.clear();
}

std::size_t reply_decoder::wanted(std::size_t available) const noexcept {
  return state_ == state::bulk_body ? position_ + bulk_size_ + 2 : available + 1;
}

}  // namespace sluice::redis
