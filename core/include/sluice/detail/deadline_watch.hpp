#pragma once

#include <cstdint>

#include <sluice/scheduler.hpp>
#include <sluice/transport.hpp>

namespace sluice::detail {

// Says when one connection has been silent, stuck or alive for too long. A pure value that is shown the connection's counters now and then, so
// that no event pays for it: what happened between two looks counts as of the second, and a deadline is found at most an eighth late, never
// early.
class deadline_watch {
 public:
  enum class verdict : std::uint8_t {
    fine,
    no_first_byte,
    idle,
    write_stalled,
    ask_to_end,    // the lifetime is over: the protocol may end in its own way
    lifetime_over  // and has not within the close timeout
  };

  // What the connection did since it was made.
  struct activity {
    std::uint64_t receives = 0;
    std::uint64_t bytes_sent = 0;
    bool output_queued = false;
  };

  static bool is_wanted(const stream_options& options) noexcept;

  explicit deadline_watch(time_point begin) noexcept : begin_(begin), quiet_since_(begin), stuck_since_(begin) {}

  verdict look(time_point now, const stream_options& options, const activity& seen) noexcept;
  // When to look again; the far future if there is nothing to wait for.
  time_point next(time_point now, const stream_options& options) const noexcept;

 private:
  void remember(time_point now, const activity& seen) noexcept;

  activity last_;
  time_point begin_;
  time_point quiet_since_;
  time_point stuck_since_;
  time_point asked_at_ = {};
  bool asked_ = false;
};

}  // namespace sluice::detail
