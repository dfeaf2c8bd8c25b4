#pragma once

#include <system_error>
#include <type_traits>

namespace sluice::redis {

/// Why a stream of RESP2 was refused. The messages of those that a server tells its client are worded as Redis words them, with their
/// "Protocol error: " in front.
enum class errc {
  bad_multibulk_length = 1,  ///< Request: the number behind `*` is no integer or above `request_limits::max_arguments`.
  bad_bulk_length,           ///< The number behind `$` is no integer, negative in a request, or above the limit on bulks.
  expected_bulk,             ///< Request: an argument does not start with `$`. `request_decoder::error_text` names what came instead.
  inline_too_big,            ///< Request: 64 KiB without `*` at the start and without a line end.
  multibulk_count_too_big,   ///< Request: the line that starts with `*` has no end within 64 KiB.
  bulk_count_too_big,        ///< Request: the line of an argument's length has no end within 64 KiB.
  unbalanced_quotes,         ///< Request: an inline command ends inside quotes, or something other than a blank follows closing ones.
  request_too_big,           ///< Request: all arguments together are above `request_limits::max_request`.
  bad_reply_type,            ///< Reply: a value starts with none of `+`, `-`, `:`, `$`, `*`.
  bad_integer,               ///< Reply: what follows `:` is no integer of 64 bits.
  bad_array_length,          ///< Reply: the number behind `*` is no integer or below -1.
  missing_line_end,          ///< Reply: a line holds a CR or LF alone, or a bulk is not followed by CR LF.
  line_too_long,             ///< Reply: a line has no end within `reply_limits::max_line`.
  reply_too_deep,            ///< Reply: arrays are nested deeper than `reply_limits::max_depth`.
  reply_too_big              ///< Reply: it has more values than `reply_limits::max_values` or more bytes than `reply_limits::max_reply`.
};

/// Category of `errc`; its name is "redis".
const std::error_category& redis_category() noexcept;

std::error_code make_error_code(errc value) noexcept;

}  // namespace sluice::redis

template <>
struct std::is_error_code_enum<sluice::redis::errc> : std::true_type {};
