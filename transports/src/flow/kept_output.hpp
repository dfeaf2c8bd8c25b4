#pragma once

#include <sluice/bytes.hpp>
#include <sluice/reconnect.hpp>
#include <sluice/scheduler.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace sluice::detail {

// Messages for a connection that is not there, within limits; whole or not at all.
class kept_output {
 public:
  kept_output(const kept_output_limits& limits, kept_output_counters& counters) noexcept : limits_(limits), counters_(counters) {}

  // Makes room by dropping the oldest. False if it has none for this one, however much is dropped.
  bool keep(const_bytes message, time_point now);
  // The oldest that is not too old, counted as sent.
  std::optional<std::string> take_first(time_point now) noexcept;
  void drop() noexcept;

 private:
  struct entry {
    time_point came;
    std::string bytes;
  };
  bool add(const_bytes bytes, time_point now);
  void drop_old(time_point now) noexcept;
  void forget_first(std::uint64_t kept_output_counters::*why) noexcept;

  const kept_output_limits limits_;
  kept_output_counters& counters_;
  std::deque<entry> waiting_;
};

}  // namespace sluice::detail
