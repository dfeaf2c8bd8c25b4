#pragma once

#include <cstdint>
#include <optional>

#include "histogram.hpp"

namespace load {

/// Nanoseconds of a clock that never goes back.
std::uint64_t now() noexcept;

/// How long a phase takes: until so many messages are through, or for so many nanoseconds. Exactly one of them is set.
struct limit {
  std::optional<std::uint64_t> messages;
  std::uint64_t nanoseconds = 0;
};

/// What went through during a phase, and what it took.
struct result {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // in one direction
  std::uint64_t lost = 0;   // datagrams that did not come back in time
  std::uint64_t nanoseconds = 0;
  std::uint64_t own_cpu = 0;                // nanoseconds of this process
  std::optional<std::uint64_t> server_cpu;  // nanoseconds of all threads of the server, where its process is known
};

/// Measures a phase from its construction on.
class window {
 public:
  /// `server`: a process, or 0 for one that is not known.
  explicit window(int server);

  std::uint64_t begin() const noexcept { return begin_; }
  /// Fills in the times.
  void end(result& into) const;

 private:
  int server_;
  std::uint64_t begin_;
  std::uint64_t own_cpu_;
  std::uint64_t server_cpu_;
};

/// Prints both as one line of JSON; the latencies only where some were recorded.
void print(const result& measured, const histogram& latencies);

}  // namespace load
