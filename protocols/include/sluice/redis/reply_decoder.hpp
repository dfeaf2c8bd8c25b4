#pragma once

#include <sluice/bytes.hpp>
#include <sluice/framing/decoder.hpp>
#include <sluice/redis/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace sluice::redis {

enum class reply_type {
  simple,   ///< `+OK`: `text`.
  error,    ///< `-ERR unknown command`: `text`, its first word is Redis's kind of error.
  integer,  ///< `:42`: `integer`.
  bulk,     ///< `$5`: `text`, any bytes.
  null,     ///< `$-1` or `*-1`.
  array     ///< `*2`: `integer` is the number of its elements, which follow.
};

struct reply_value {
  reply_type type = reply_type::null;
  std::string_view text{};
  std::int64_t integer = 0;

  bool operator==(const reply_value&) const = default;
};

struct reply_limits {
  std::size_t max_bulk = 512 * 1024 * 1024;    ///< Bytes of one bulk string.
  std::size_t max_line = 64 * 1024;            ///< Bytes of one line: a simple string, an error or a number, without its CR LF.
  std::size_t max_values = 1024 * 1024;        ///< Values of one reply, arrays and what is in them alike.
  std::size_t max_depth = 32;                  ///< Arrays around a value.
  std::size_t max_reply = 1024 * 1024 * 1024;  ///< Bytes of one whole reply as it stands on the wire.
};

/// The client's side of RESP2: cuts what a server sends into replies. A message is one reply as the flat list of its values in the order of
/// the wire, an array before its elements, so a reply that is no array is a list of one value. Texts view the input; the list is storage of
/// the decoder, reused without allocation in the steady state. Stricter than servers need: lines end in CR LF and hold neither, numbers
/// are what `parse_integer` accepts.
class reply_decoder {
 public:
  using message_type = std::span<const reply_value>;
  static constexpr bool needs_every_byte = true;

  explicit reply_decoder(reply_limits limits = {}) : limits_(limits) {}

  framing::decode_result<message_type> decode(const_bytes input);

 private:
  enum class state {
    value_line,  // the line that starts a value comes
    bulk_body    // bulk_size_ bytes and CR LF come
  };
  enum class step {
    stuck,
    advanced,
    complete,
    failed
  };
  struct slice {
    std::size_t offset;
    std::size_t size;
  };

  step advance(std::string_view text);
  step read_line(std::string_view text);
  step read_value(std::string_view line);
  step read_integer(std::string_view digits);
  step begin_bulk(std::string_view digits);
  step begin_array(std::string_view digits);
  step read_bulk_body(std::string_view text);
  step add(reply_type type, slice where, std::int64_t integer);
  bool append(reply_type type, slice where, std::int64_t integer);
  step fail(errc code) noexcept;
  void view_texts(std::string_view text) noexcept;
  std::size_t end_reply() noexcept;
  void drop_last_reply() noexcept;
  std::size_t wanted(std::size_t available) const noexcept;

  reply_limits limits_;
  state state_ = state::value_line;
  std::size_t position_ = 0;  // offset of the next element, from the start of the reply
  std::size_t scanned_ = 0;   // the line at position_ holds neither CR nor LF before this offset
  std::size_t bulk_size_ = 0;
  std::vector<std::int64_t> open_;  // elements still to come of each array around the next value
  std::vector<reply_value> values_;
  std::vector<slice> slices_;  // where the text of each value is
  std::error_code error_{};
};

}  // namespace sluice::redis
