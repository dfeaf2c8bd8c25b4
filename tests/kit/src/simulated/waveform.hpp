#pragma once

#include <cstdint>
#include <vector>

#include <sluice/scheduler.hpp>
#include <sluice/serial/settings.hpp>

namespace sluice::testing::detail {

// Nanoseconds of the scheduler's clock: there are a hundred questions about each character.
using nanoseconds = std::int64_t;
inline constexpr nanoseconds never = INT64_MAX;

// What one sender does to a wire that is high by itself: a character, or a break.
struct pulse {
  const void* sender;
  nanoseconds from;
  nanoseconds to;
  std::uint32_t baud;
  std::uint16_t bits;  // one level each, from the lowest; the last one holds until the end
  std::uint8_t count;

  bool level(nanoseconds at) const noexcept;
  // When bit number `which` begins.
  nanoseconds begin_of(unsigned which) const noexcept;
};

pulse character_pulse(const void* sender, nanoseconds from, std::byte value, const serial::settings& line) noexcept;
pulse break_pulse(const void* sender, nanoseconds from) noexcept;
// Whether the parity bit of `value` is set; only for a line that has one.
bool parity_bit(unsigned value, serial::parity kind) noexcept;

// The recent past of a wire as one receiver hears it, and the rest of the characters that have begun.
class waveform {
 public:
  void add(const pulse& heard) { pulses_.push_back(heard); }
  void end_breaks(const void* sender, nanoseconds at) noexcept;
  // Whatever is not over arrives as garbage.
  void spoil(nanoseconds now) noexcept;
  void forget_before(nanoseconds at) noexcept;
  void clear() noexcept { pulses_.clear(); }

  bool level(nanoseconds at) const noexcept;
  // The first change from high to low at or after `from`; `never` if none is known.
  nanoseconds find_fall(nanoseconds from) const noexcept;

 private:
  std::vector<pulse> pulses_;
};

}  // namespace sluice::testing::detail
