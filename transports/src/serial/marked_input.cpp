#include <sluice/serial/marked_input.hpp>

#include <cstring>

namespace sluice::serial {
namespace {

constexpr std::byte mark{0xff};
constexpr std::byte nul{0};

std::size_t length_before_mark(const_bytes input) noexcept {
  const void* const found = std::memchr(input.data(), 0xff, input.size());
  return found == nullptr ? input.size() : static_cast<std::size_t>(static_cast<const std::byte*>(found) - input.data());
}

}  // namespace

marked_input_decoder::item marked_input_decoder::next(const_bytes input) noexcept {
  std::size_t done = 0;
  while (done < input.size()) {
    item found = place_ == place::plain ? plain_run(input.subspan(done)) : complete(input, done);
    done += found.consumed;
    found.consumed = done;
    if (found.what != kind::nothing) return found;
  }
  return {.consumed = done};
}

// Bytes up to a mark, and with them a doubled ff, whose first half is the byte that is meant.
marked_input_decoder::item marked_input_decoder::plain_run(const_bytes input) noexcept {
  const std::size_t length = length_before_mark(input);
  if (length == input.size()) return {.what = kind::data, .consumed = length, .data = input};
  if (length + 1 < input.size() && input[length + 1] == mark)
    return {.what = kind::data, .consumed = length + 2, .data = input.first(length + 1)};
  place_ = place::after_ff;
  if (length == 0) return {.consumed = 1};
  return {.what = kind::data, .consumed = length + 1, .data = input.first(length)};
}

marked_input_decoder::item marked_input_decoder::complete(const_bytes input, std::size_t at) noexcept {
  const std::byte value = input[at];
  switch (place_) {
    case place::after_ff:
      place_ = value == nul ? place::after_ff_00 : place::plain;
      if (value == nul) return {.consumed = 1};
      return value == mark ? one_byte(value, 1) : stray(value, 1);
    case place::after_ff_00: place_ = place::plain; return damaged(value, 1);
    case place::plain: break;
  }
  return {};
}

marked_input_decoder::item marked_input_decoder::one_byte(std::byte value, std::size_t consumed) noexcept {
  held_[0] = value;
  return {.what = kind::data, .consumed = consumed, .data = const_bytes(held_).first(1)};
}

marked_input_decoder::item marked_input_decoder::stray(std::byte second, std::size_t consumed) noexcept {
  ++counters_.stray;
  held_ = {mark, second};
  return {.what = kind::data, .consumed = consumed, .data = held_};
}

marked_input_decoder::item marked_input_decoder::damaged(std::byte value, std::size_t consumed) noexcept {
  const line_error error = value == nul ? line_error::line_break : cause_;
  count(error);
  switch (policy_of(error)) {
    case error_policy::deliver: return one_byte(value, consumed);
    case error_policy::drop: return {.consumed = consumed};
    case error_policy::replace: return one_byte(options_.replacement, consumed);
    case error_policy::event: return {.what = kind::event, .consumed = consumed, .error = error, .byte = value};
  }
  return {};
}

void marked_input_decoder::count(line_error error) noexcept {
  switch (error) {
    case line_error::parity: ++counters_.parity; break;
    case line_error::framing: ++counters_.framing; break;
    case line_error::unknown: ++counters_.unknown; break;
    case line_error::line_break: ++counters_.breaks; break;
  }
}

error_policy marked_input_decoder::policy_of(line_error error) const noexcept {
  switch (error) {
    case line_error::parity: return options_.parity;
    case line_error::framing: return options_.framing;
    case line_error::unknown: return options_.unknown;
    case line_error::line_break: return options_.line_break;
  }
  return options_.unknown;
}

}  // namespace sluice::serial
