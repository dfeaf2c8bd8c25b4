#include "waveform.hpp"

#include <bit>
#include <cstddef>
#include <vector>

namespace sluice::testing::detail {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint16_t garbage = 0x0aa;  // data bits that are turned over when two send at once

}  // namespace

bool pulse::level(nanoseconds at) const noexcept {
  const std::uint64_t passed = static_cast<std::uint64_t>(at - from) * baud / second;
  const unsigned which = passed < count ? static_cast<unsigned>(passed) : count - 1u;
  return (bits >> which & 1u) != 0;
}

nanoseconds pulse::begin_of(unsigned which) const noexcept { return from + static_cast<nanoseconds>((which * second + baud - 1) / baud); }

bool parity_bit(unsigned value, serial::parity kind) noexcept {
  const bool odd = std::popcount(value) % 2 != 0;
  switch (kind) {
    case serial::parity::none:
    case serial::parity::space: return false;
    case serial::parity::even: return odd;
    case serial::parity::odd: return !odd;
    case serial::parity::mark: return true;
  }
  return false;
}

pulse character_pulse(const void* sender, nanoseconds from, std::byte value, const serial::settings& line) noexcept {
  const unsigned data = std::to_integer<unsigned>(value) & ((1u << line.data_bits) - 1u);
  unsigned bits = data << 1;
  unsigned count = 1u + line.data_bits;
  if (line.parity != serial::parity::none) bits |= unsigned(parity_bit(data, line.parity)) << count++;
  bits |= 1u << count++;
  return {sender,
          from,
          from + serial::character_time(line).count(),
          line.baud,
          static_cast<std::uint16_t>(bits),
          static_cast<std::uint8_t>(count)};
}

pulse break_pulse(const void* sender, nanoseconds from) noexcept { return {sender, from, never, 1, 0, 1}; }

void waveform::end_breaks(const void* sender, nanoseconds at) noexcept {
  for (pulse& each : pulses_)
    if (each.sender == sender && each.to == never) each.to = at;
}

void waveform::spoil(nanoseconds now) noexcept {
  for (pulse& each : pulses_)
    if (const unsigned stop_bit = 1u << (each.count - 1u); each.to > now && (each.bits & stop_bit) != 0)
      each.bits = static_cast<std::uint16_t>((each.bits ^ garbage) & ~stop_bit);
}

void waveform::forget_before(nanoseconds at) noexcept {
  std::erase_if(pulses_, [at](const pulse& each) { return each.to < at; });
}

bool waveform::level(nanoseconds at) const noexcept {
  for (const pulse& each : pulses_)
    if (at >= each.from && at < each.to && !each.level(at)) return false;
  return true;
}

nanoseconds waveform::find_fall(nanoseconds from) const noexcept {
  nanoseconds first = never;
  for (const pulse& each : pulses_) {
    const unsigned falls = ~unsigned{each.bits} & (unsigned{each.bits} << 1 | 1u);
    for (unsigned i = 0; i != each.count; ++i) {
      if ((falls >> i & 1u) == 0) continue;
      const nanoseconds at = each.begin_of(i);
      if (at < from || at >= each.to || level(at) || !level(at - 1)) continue;
      if (at < first) first = at;
      break;
    }
  }
  return first;
}

}  // namespace sluice::testing::detail
