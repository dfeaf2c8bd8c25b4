#pragma once

#include <sluice/bytes.hpp>
#include <sluice/framing/decoder.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice::framing {

/// What ends a line. The ending is never part of the message.
class line_ending {
 public:
  /// LF; one CR right before it is taken off as well. What people type and what most text protocols should accept.
  static line_ending lf() { return line_ending("\n", trim::carriage_return); }
  /// Exactly CR LF; a CR or LF alone is a byte of the line like any other.
  static line_ending crlf() { return line_ending("\r\n", trim::nothing); }
  /// Exactly these bytes, such as `"\0"` (write `std::string_view("\0", 1)`) or `";"`. Throws `std::invalid_argument` if there are none.
  static line_ending custom(std::string_view bytes);

  std::string_view bytes() const noexcept { return bytes_; }
  bool strips_carriage_return() const noexcept { return trim_ == trim::carriage_return; }

 private:
  enum class trim {
    nothing,
    carriage_return
  };
  line_ending(std::string_view bytes, trim what) : bytes_(bytes), trim_(what) {}

  std::string bytes_;
  trim trim_;
};

struct line_options {
  line_ending ending = line_ending::lf();
  /// Bytes of the longest line, without its ending. The first byte beyond it is `errc::message_too_long`, whether the ending has come or not.
  std::size_t max_length = 64 * 1024;
};

/// Cuts a stream into lines; a message is a view of one line in the input, without the ending. Every byte is allowed in a line, the empty
/// line is a message. Never allocates after construction.
///
///     line_decoder decoder;
///     auto result = decoder.decode(as_bytes("hello\nwor"));  // message "hello", 6 bytes consumed
class line_decoder {
 public:
  using message_type = const_bytes;

  explicit line_decoder(line_options options = {}) : options_(std::move(options)) {}

  decode_result<const_bytes> decode(const_bytes input);

 private:
  std::size_t length_before(std::string_view text, std::size_t end) const noexcept;
  bool is_too_long(std::string_view text) const noexcept;
  decode_result<const_bytes> look_further(std::string_view text);

  line_options options_;
  std::size_t scanned_ = 0;  // no ending starts before this offset
  std::error_code error_{};
};

}  // namespace sluice::framing
