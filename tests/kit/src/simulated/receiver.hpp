#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <sluice/serial/marked_input.hpp>
#include <sluice/timer.hpp>

#include "waveform.hpp"

namespace sluice::testing::detail {

// Numbers that are the same everywhere (splitmix64).
class seeded_numbers {
 public:
  explicit seeded_numbers(std::uint64_t seed) noexcept : state_(seed) {}
  bool one_in(std::uint64_t n) noexcept { return n != 0 && next() % n == 0; }

 private:
  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  std::uint64_t state_;
};

// The half of an interface that listens: waits for a start bit, and samples the middle of each bit by its own clock.
class receiver {
 public:
  struct character {
    std::byte value{};
    std::optional<serial::line_error> error;
  };
  // `heard` is called in the middle of the stop bit.
  receiver(scheduler& owner, seeded_numbers& noise, std::uint64_t one_bad_bit_in, std::function<void(character)> heard);

  void start(const serial::settings& line);
  void stop() noexcept;
  void configure(const serial::settings& line) noexcept { line_ = line; }
  bool is_on() const noexcept { return on_; }

  // With nothing on the wire and no noise, what is sent so is heard so.
  bool hears_as_sent(const serial::settings& line) const noexcept;

  void hear(const pulse& what);
  void end_breaks(const void* sender);
  void spoil() noexcept { wave_.spoil(now()); }
  void damage_next(serial::line_error how, std::size_t characters) noexcept;

 private:
  unsigned bits_before_stop() const noexcept { return 1u + line_.data_bits + unsigned(line_.parity != serial::parity::none); }
  nanoseconds now() const noexcept { return owner_.now().time_since_epoch().count(); }
  nanoseconds middle_of(unsigned bit) const noexcept;
  bool sample(unsigned bit);
  void look();
  void complete();
  character read_character();
  void damage(character& what) noexcept;

  scheduler& owner_;
  seeded_numbers& noise_;
  std::uint64_t one_bad_bit_in_;
  std::function<void(character)> heard_;
  serial::settings line_;
  waveform wave_;
  nanoseconds ready_from_ = 0;
  nanoseconds edge_ = never;  // of the start bit that is being received
  std::size_t damaged_left_ = 0;
  serial::line_error damage_ = serial::line_error::parity;
  bool on_ = false;
  timer timer_;
};

}  // namespace sluice::testing::detail
