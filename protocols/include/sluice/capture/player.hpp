#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sluice/protocol.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/transport.hpp>

namespace sluice::capture {

/// Whose bytes are played.
enum class recorded_side : std::uint8_t {
  peer,  ///< What was received: the protocol hears what its like heard then.
  self   ///< What was sent: the protocol stands in for the peer.
};

struct play_options {
  /// How much faster than then: 1 is the recorded pace, 10 makes a minute six seconds. 0: as fast as the protocol takes it, in turns of 64
  /// KiB.
  double speed = 1;
  /// `record::connection` of what is played. Empty: the first one of which there is data or a beginning.
  std::optional<std::uint64_t> connection = {};
  recorded_side side = recorded_side::peer;
};

/// Answers `info<play_progress>()` of a player's transport.
struct play_progress {
  std::uint64_t records = 0;  ///< Of this connection that were played.
  std::uint64_t bytes = 0;    ///< Delivered to the protocol.
  std::uint64_t missing = 0;  ///< Bytes that are known to be missing in what was played.
  std::string fault = {};     ///< What is wrong with the capture, once the reader has come to it: see `reader::fault`.
};

/// A transport that does once more what the peer of a recorded connection did: the bytes of a capture (the content of a file, which
/// `reader` reads), in the recorded pieces and at their times on the clock of `owner`. On a `manual_scheduler` each run is the same.
///
/// While reading is paused nothing is played, and what should have come meanwhile comes at once when it goes on, as from a system's buffer.
/// The recorded end of input is the end of input, an orderly end of the connection or of the capture likewise; a connection that was lost
/// by an error is lost again, with `errc::connection_lost`. A capture that cannot be read on ends with the reader's error, one that was cut
/// off with `errc::capture_cut`, behind what could be read. What the protocol writes goes nowhere; to see it, put a `tap` in between.
///
/// Answers `info<transport_kind>()` with "capture". Delivers `connection_made` before it returns. `std::invalid_argument` if the protocol
/// is null or the speed negative.
transport& play(scheduler& owner, std::string capture, protocol_ptr upper, const play_options& options = {});

}  // namespace sluice::capture
