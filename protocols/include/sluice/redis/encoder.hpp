#pragma once

#include <sluice/bytes.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

/// Writes RESP2, replies and requests, value by value:
///
///     std::string out;
///     write_array(out, 2);
///     write_bulk(out, "name");
///     write_integer(out, 42);
///
/// Every function takes any sink and never allocates itself. What is written is well-formed whatever the arguments are, as long as as many
/// elements follow each array header as it says.
namespace sluice::redis {

/// Text is appended, such as to a `std::string`.
template <class Sink>
concept appending_sink = requires(Sink& sink, std::string_view text) {
  sink.append(text);
};

/// Chunks are handed over in one call, such as to a `transport`: a value costs one `writev`, and all values of a turn leave in one send. The
/// result of `writev` is not looked at; the transport says by its flow control when it is too much.
template <class Sink>
concept gathering_sink = requires(Sink& sink, std::span<const const_bytes> chunks) {
  sink.writev(chunks);
};

template <class Sink>
concept sink = appending_sink<Sink> || gathering_sink<Sink>;

namespace detail {

template <sink Sink>
void put(Sink& out, std::initializer_list<std::string_view> parts) {
  if constexpr (appending_sink<Sink>) {
    for (const auto part : parts) out.append(part);
  } else {
    std::array<const_bytes, 4> chunks;
    std::size_t used = 0;
    for (const auto part : parts) chunks[used++] = as_bytes(part);
    out.writev(std::span<const const_bytes>(chunks).first(used));
  }
}

/// The decimal digits of a number, on the stack.
class digits {
 public:
  explicit digits(std::int64_t number) noexcept : end_(std::to_chars(text_.data(), text_.data() + text_.size(), number).ptr) {}
  std::string_view text() const noexcept { return {text_.data(), static_cast<std::size_t>(end_ - text_.data())}; }

 private:
  std::array<char, 20> text_;
  const char* end_;
};

/// `text` with a blank for each CR and LF.
template <sink Sink>
void put_in_line(Sink& out, std::string_view text) {
  for (auto end = text.find_first_of("\r\n"); end != std::string_view::npos; end = text.find_first_of("\r\n")) {
    put(out, {text.substr(0, end), " "});
    text.remove_prefix(end + 1);
  }
  put(out, {text});
}

template <sink Sink>
void put_line(Sink& out, std::string_view type, std::string_view text) {
  if (text.find_first_of("\r\n") == std::string_view::npos) return put(out, {type, text, "\r\n"});
  put(out, {type});
  put_in_line(out, text);
  put(out, {"\r\n"});
}

}  // namespace detail

/// `+OK`. Each CR and LF in `text` becomes a blank: no text can end the line early.
template <sink Sink>
void write_simple(Sink& out, std::string_view text) {
  detail::put_line(out, "+", text);
}

/// `-ERR unknown command`. `text` starts with the kind of error ("ERR", "WRONGTYPE"); CR and LF as in `write_simple`.
template <sink Sink>
void write_error(Sink& out, std::string_view text) {
  detail::put_line(out, "-", text);
}

/// As the one above, of a text in parts: `write_error(out, {"ERR Unsupported option ", option})`.
template <sink Sink>
void write_error(Sink& out, std::initializer_list<std::string_view> parts) {
  detail::put(out, {"-"});
  for (const auto part : parts) detail::put_in_line(out, part);
  detail::put(out, {"\r\n"});
}

/// `:42`; a number above the largest of 64 bits with sign is written as that.
template <sink Sink>
void write_integer(Sink& out, std::integral auto number) {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  detail::put(out, {":", detail::digits(std::cmp_greater(number, largest) ? largest : static_cast<std::int64_t>(number)).text(), "\r\n"});
}

/// Any bytes, of any length.
template <sink Sink>
void write_bulk(Sink& out, std::string_view bytes) {
  constexpr std::size_t worth_a_copy = 256;  // one short write costs less than three
  char text[24 + worth_a_copy + 2];
  text[0] = '$';
  char* end = std::to_chars(text + 1, text + 22, bytes.size()).ptr;
  *end++ = '\r';
  *end++ = '\n';
  const std::string_view head(text, static_cast<std::size_t>(end - text));
  if (bytes.size() > worth_a_copy) return detail::put(out, {head, bytes, "\r\n"});
  end = std::ranges::copy(bytes, end).out;
  *end++ = '\r';
  *end++ = '\n';
  detail::put(out, {std::string_view(text, static_cast<std::size_t>(end - text))});
}

/// The bulk string that is none, `$-1`: the answer for a key that does not exist.
template <sink Sink>
void write_null(Sink& out) {
  detail::put(out, {"$-1\r\n"});
}

/// The array that is none, `*-1`.
template <sink Sink>
void write_null_array(Sink& out) {
  detail::put(out, {"*-1\r\n"});
}

/// The header of an array: `count` values have to follow, each of any type.
template <sink Sink>
void write_array(Sink& out, std::size_t count) {
  detail::put(out, {"*", detail::digits(static_cast<std::int64_t>(count)).text(), "\r\n"});
}

/// An array of bulk strings: a list in a reply.
template <sink Sink>
void write_list(Sink& out, std::span<const std::string_view> texts) {
  write_array(out, texts.size());
  for (const auto text : texts) write_bulk(out, text);
}
template <sink Sink>
void write_list(Sink& out, std::initializer_list<std::string_view> texts) {
  write_list(out, std::span<const std::string_view>(texts.begin(), texts.size()));
}

/// A request as clients send it: a list of the command's name and its arguments.
template <sink Sink>
void write_request(Sink& out, std::span<const std::string_view> arguments) {
  write_list(out, arguments);
}
template <sink Sink>
void write_request(Sink& out, std::initializer_list<std::string_view> arguments) {
  write_list(out, arguments);
}

}  // namespace sluice::redis
