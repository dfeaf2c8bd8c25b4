#pragma once

#include <cstdint>

namespace sluice {

/// What passed through one transport since it was made. Reading it costs nothing; each event costs one increment.
struct stream_counters {
  std::uint64_t bytes_received = 0;  ///< Bytes that the channel handed up, also those that were not delivered because the transport closed.
  std::uint64_t bytes_sent = 0;      ///< Bytes that the channel took.
  std::uint64_t receives = 0;        ///< Reads that brought bytes.
  std::uint64_t sends = 0;           ///< Attempts to send, short ones and refused ones included.
};

/// What passed through one datagram transport since it was made. Every datagram that the system handed over or took is in one of the
/// numbers.
struct datagram_counters {
  std::uint64_t datagrams_received = 0;  ///< Handed up by the channel, whole, also those not delivered because the transport closed.
  std::uint64_t bytes_received = 0;      ///< In those.
  std::uint64_t receives = 0;            ///< Batches that brought some.
  std::uint64_t truncated = 0;           ///< Came, and were longer than the limit (rule D4).
  std::uint64_t receive_errors = 0;      ///< Failed receives, such as the sign that nobody took a datagram that was sent before.
  std::uint64_t datagrams_sent = 0;      ///< Taken by the channel.
  std::uint64_t bytes_sent = 0;          ///< In those.
  std::uint64_t sends = 0;               ///< Batches that were offered to the channel, also those that it refused.
  std::uint64_t send_errors = 0;         ///< Datagrams that could not be sent.
  std::uint64_t dropped = 0;  ///< Datagrams, of either direction, that were dropped for want of room: `max_write_buffer`, or memory.
};

/// What a scheduler did since it was made.
struct scheduler_counters {
  std::uint64_t turns_posted = 0;       ///< Batches of `call_soon` and `post` functions that ran.
  std::uint64_t timers_fired = 0;       ///< Timers that expired, the library's own included.
  std::uint64_t transports_opened = 0;  ///< Transports that were started, layers included.
  std::uint64_t transports_closed = 0;  ///< Transports that were given back, layers included.
  std::uint64_t dropped_writes = 0;     ///< Writes that returned `write_status::dropped` (rules W5–W7), and datagrams likewise.
  std::uint64_t errors_reported = 0;    ///< Calls of the error hook.
  std::uint64_t memory_episodes = 0;    ///< Times that the memory budget was exceeded and accepting paused.
  std::uint64_t memory_holds = 0;       ///< Connections whose reading was held because the budget stayed exceeded.
};

/// What a `loop` did since it was made.
struct loop_counters : scheduler_counters {
  std::uint64_t iterations = 0;        ///< Times that it asked the system for events.
  std::uint64_t functions_posted = 0;  ///< Functions of `post` and `submit` that ran, ends of jobs included.
  std::uint64_t signals_handled = 0;   ///< Calls of signal handlers.
  std::uint64_t jobs_started = 0;      ///< Jobs that were given to other threads.
};

}  // namespace sluice
