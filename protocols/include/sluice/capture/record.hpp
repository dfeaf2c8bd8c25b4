#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <sluice/bytes.hpp>

/// Recording what passes over a connection, and playing it back: `tap` is a layer that copies what it sees into a `queue`, `writer` puts
/// that into files, `reader` reads them, and `play` is a transport that does once more what the peer did. docs/serial.md shows how.
namespace sluice::capture {

/// What a record tells. Names of the last six are those of the serial line, which alone has them.
enum class event : std::uint8_t {
  connected,        ///< The connection was made; `note` is the kind of transport.
  received,         ///< `data` came from the peer.
  sent,             ///< The transport below took `data`.
  input_ended,      ///< The peer ended its output.
  output_ended,     ///< We ended ours.
  reading_paused,   ///< The protocol takes no input for the time being.
  reading_resumed,  ///< It does again.
  writing_paused,   ///< More than the high mark waits to be sent.
  writing_resumed,  ///< No more than the low mark does.
  lost,             ///< The connection is over; `note` is the error, and empty for an orderly end.
  dropped,          ///< Here `missing_records`, with `missing_bytes` of data, could not be kept.
  parity_error,     ///< The character in `data` arrived with a wrong parity.
  framing_error,    ///< The character in `data` arrived without a stop bit.
  line_break,       ///< The line was held low.
  overrun,          ///< Characters were lost before anybody could read them.
  lines_changed,    ///< `lines` is what the modem lines are from now on.
  other             ///< Something else, which `note` may tell.
};

/// "received", "input ended", ….
const char* to_string(event what) noexcept;

/// The modem lines of a serial line: bits of `record::lines`, with the values of LINKTYPE_RTAC_SERIAL.
enum class line : std::uint8_t {
  clear_to_send = 0x01,
  carrier = 0x02,
  data_set_ready = 0x04,
  request_to_send = 0x08,
  data_terminal_ready = 0x10,
  ring = 0x20
};
constexpr std::uint8_t operator|(line a, line b) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr std::uint8_t operator|(std::uint8_t a, line b) noexcept { return static_cast<std::uint8_t>(a | static_cast<unsigned>(b)); }

/// One thing that happened. The views are valid as long as whoever handed it out says.
struct record {
  event what = event::other;
  std::chrono::nanoseconds time{0};   ///< Since 1970, UTC.
  std::uint64_t connection = 0;       ///< `transport::id()` of the tap; 0 is none in particular.
  std::uint8_t lines = 0;             ///< Modem lines that were on, as far as anybody told.
  const_bytes data = {};              ///< Bytes of the connection.
  std::string_view note = {};         ///< A word for a person.
  std::uint64_t missing_records = 0;  ///< Records that stood here and were dropped.
  std::uint64_t missing_bytes = 0;    ///< Bytes that belong to `data` and were left out, or that were in the dropped records.
};

}  // namespace sluice::capture
