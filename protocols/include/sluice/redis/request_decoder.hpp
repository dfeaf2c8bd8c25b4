#pragma once

#include <sluice/bytes.hpp>
#include <sluice/framing/decoder.hpp>
#include <sluice/redis/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sluice::redis {

struct request_limits {
  std::size_t max_bulk = 512 * 1024 * 1024;      ///< Bytes of one argument.
  std::size_t max_arguments = 1024 * 1024;       ///< Arguments of one request, the command's name included.
  std::size_t max_request = 1024 * 1024 * 1024;  ///< Bytes of one whole request as it stands on the wire.
};

/// The server's side of RESP2: cuts what a client sends into requests. A request is an array of bulk strings, or an inline command: a line
/// that does not start with `*`, split at blanks, with "quoted \x00 \n \" parts" and 'plain \' ones'. Empty requests (`*0`, `*-1`, an empty
/// line) are skipped. Both forms may follow each other in one stream.
///
/// A message is the arguments, the command's name first, never none; they may hold any byte. They view the input (inline ones: storage of
/// the decoder) and are valid as `decode_result::message` says. Storage is reused: no allocation in the steady state.
///
/// What is accepted is what Redis 7.0 accepts, its leniencies included: the byte after the CR of a length and the two bytes after an argument
/// are skipped unseen. Two things differ so that the outcome never depends on how the bytes were cut: a line of more than 64 KiB is refused
/// even when its end is already there, and a NUL byte in a line is a byte like any other.
class request_decoder {
 public:
  using message_type = std::span<const std::string_view>;
  static constexpr bool needs_every_byte = true;

  explicit request_decoder(request_limits limits = {}) : limits_(limits) {}

  framing::decode_result<message_type> decode(const_bytes input);

  /// After an error: what Redis would tell the client, without the leading "ERR ", such as "Protocol error: expected '$', got 'x'". It may
  /// hold a CR or LF that the client sent; `write_error` takes those out. Empty before an error. Valid until the decoder is gone.
  std::string_view error_text() const noexcept { return error_text_; }

 private:
  enum class state {
    start,        // nothing of a request was seen
    bulk_header,  // the length of the next argument comes
    bulk_body     // bulk_size_ bytes and CR LF come
  };
  enum class step {
    stuck,     // more input is needed
    advanced,  // one element further
    skipped,   // an empty request ended
    complete,  // a request ended
    failed
  };
  struct slice {
    std::size_t offset;
    std::size_t size;
  };

  std::size_t read_whole(std::string_view text);
  step advance(std::string_view text);
  step read_inline(std::string_view text);
  step read_array_header(std::string_view text);
  step read_bulk_header(std::string_view text);
  step read_bulk_body(std::string_view text);
  std::size_t find_in_line(std::string_view text, char searched) noexcept;
  step unended_line(std::string_view text, errc too_big);
  step fail(errc code, std::string_view detail = {});
  void view_arguments(std::string_view text);
  void forget_arguments() noexcept;
  void restart() noexcept;
  std::size_t wanted(std::size_t available) const noexcept;

  request_limits limits_;
  state state_ = state::start;
  std::size_t position_ = 0;   // offset of the next element, from the start of the request
  std::size_t scanned_ = 0;    // the line at position_ does not end before this offset
  std::size_t remaining_ = 0;  // arguments still to come
  std::size_t bulk_size_ = 0;
  std::vector<slice> slices_;
  std::vector<std::string_view> arguments_;
  std::string inline_text_;  // the unquoted arguments of an inline command, one behind the other
  std::error_code error_{};
  std::string error_text_;
};

}  // namespace sluice::redis
