#pragma once

#include <cstdint>

// What the channels of `stream_transport` and of `datagram_transport` have in common.
namespace sluice {

/// How a channel is asked to end.
enum class close_kind : std::uint8_t {
  graceful,  ///< All output was taken; tell the peer the end.
  abort,     ///< End at once.
  reset      ///< End at once, and so that the peer sees a reset where the medium has one.
};

/// Whether a channel has done what it was asked to, or will say so later.
enum class progress : std::uint8_t {
  done,
  pending
};

/// Why the engine does not deliver input at the moment; several may hold at once (rule R12).
enum class hold : std::uint8_t {
  user = 1,            ///< `pause_reading`.
  write_pressure = 2,  ///< `pause_writing` was answered by `backpressure::hold_reading` (rule F17).
  memory_budget = 4,   ///< The loop's memory budget is used up.
  coupling = 8,        ///< `hold_for_sink`: where the input goes cannot take more.
  switching = 16       ///< A protocol switch is about to take effect.
};

}  // namespace sluice
