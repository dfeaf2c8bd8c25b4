#pragma once

#include <string>
#include <system_error>
#include <type_traits>

namespace sluice {

/// What the library itself reports; all that stand for a deadline equal `std::errc::timed_out`. Errors of the operating system arrive in
/// `uv_category()` (the messages of libuv) with errno's number. An empty `std::error_code` as the reason of `connection_lost` is an orderly
/// end (rule X6 of docs/contract.md).
enum class errc {
  aborted = 1,         ///< `abort()` or `reset()` was called, or the scheduler was destroyed with the transport open.
  timed_out,           ///< A deadline of ours passed: connecting, closing, a handshake.
  protocol_threw,      ///< A callback of the protocol threw; the exception went to the error hook.
  buffer_limit,        ///< Unsent output grew above `max_write_buffer`.
  truncated,           ///< The peer ended without the end that its protocol requires.
  not_supported,       ///< This kind of transport cannot do what was asked.
  closed,              ///< The transport, server or scheduler that was asked is closed.
  bad_buffer,          ///< `get_buffer` returned an empty buffer.
  factory_failed,      ///< A protocol factory threw or returned null.
  cancelled,           ///< The operation was cancelled by its owner before it ended.
  misuse,              ///< A call that the documentation forbids; the call did nothing.
  bad_endpoint,        ///< An endpoint string or one of its options is malformed.
  unknown_scheme,      ///< No row of the scheme table has this name.
  bad_address,         ///< An address is malformed or of the wrong family for the call.
  message_too_long,    ///< A frame, line or message exceeds the limit that was set.
  malformed_message,   ///< The bytes do not follow the protocol.
  handshake_failed,    ///< A layer's handshake failed.
  callback_failed,     ///< A posted function, timer or executor job threw.
  leaked,              ///< A transport was still open when its scheduler was destroyed.
  first_byte_timeout,  ///< The peer sent nothing within `stream_options::first_byte_timeout`.
  idle_timeout,        ///< Nothing passed in either direction within `stream_options::idle_timeout`.
  write_stalled,       ///< The peer took nothing of what waited within `stream_options::write_stall_timeout`.
  lifetime_over,       ///< The connection lasted longer than `stream_options::lifetime` and did not end when asked to.
  memory_budget,       ///< All connections together hold back more than `scheduler::set_memory_budget` allows.
  descriptors_lost,    ///< Descriptors that the peer passed could not be received; see `local::take_descriptor`.
  connect_failed,      ///< Several addresses were tried and failed for different reasons; `result::detail()` names each with its own.
  message_truncated,   ///< A datagram was longer than the receiver's limit, and not delivered.
  not_a_file,          ///< `send_file` was given something that is no regular file.
  file_too_short,      ///< A file ends before the range that was to be sent; see `transport::send_file`.
  bytes_reserved       ///< The medium keeps bytes for itself that the protocol cannot do without; see `protocol::needs_every_byte`.
};

/// Category of `errc`; its name is "sluice".
const std::error_category& sluice_category() noexcept;
/// Category of the operating system's errors as libuv names them ("ECONNRESET: connection reset by peer"); its name is "uv".
/// Values are positive errno numbers and compare equal to the matching `std::errc`.
const std::error_category& uv_category() noexcept;

std::error_code make_error_code(errc value) noexcept;
/// `errno_value` as an error of `uv_category()`; 0 is success.
std::error_code system_error(int errno_value) noexcept;

/// Groups of codes that call for one reaction. Compare with `==`: `if (reason == condition::peer_gone) …`
enum class condition {
  peer_gone =
      1,  ///< The peer reset the connection or vanished: ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN, ETIMEDOUT, EHOSTUNREACH, ENETRESET.
  would_retry,  ///< Nothing is wrong; try again later: EAGAIN, EWOULDBLOCK, EINTR.
  local_end     ///< This program ended it: `aborted`, `protocol_threw`, `buffer_limit`, `cancelled`, a deadline.
};
std::error_condition make_error_condition(condition value) noexcept;

/// "category:value message", the form in which the library's own log lines print a code.
std::string describe(std::error_code code);

}  // namespace sluice

template <>
struct std::is_error_code_enum<sluice::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<sluice::condition> : std::true_type {};
