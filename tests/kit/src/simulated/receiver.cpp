#include "receiver.hpp"

#include <utility>

namespace sluice::testing::detail {

receiver::receiver(scheduler& owner, seeded_numbers& noise, std::uint64_t one_bad_bit_in, std::function<void(character)> heard)
    : owner_(owner), noise_(noise), one_bad_bit_in_(one_bad_bit_in), heard_(std::move(heard)), timer_(owner, [this] { complete(); }) {}

void receiver::start(const serial::settings& line) {
  on_ = true;
  line_ = line;
  ready_from_ = now();
}

void receiver::stop() noexcept {
  on_ = false;
  wave_.clear();
  edge_ = never;
  timer_.stop();
}

bool receiver::hears_as_sent(const serial::settings& line) const noexcept {
  return on_ && edge_ == never && one_bad_bit_in_ == 0 && damaged_left_ == 0 && line.baud == line_.baud && line_.receive_baud == 0 &&
         line.data_bits == line_.data_bits && line.parity == line_.parity;
}

void receiver::hear(const pulse& what) {
  if (!on_) return;
  wave_.add(what);
  look();
}

void receiver::end_breaks(const void* sender) {
  wave_.end_breaks(sender, now());
  look();
}

void receiver::damage_next(serial::line_error how, std::size_t characters) noexcept {
  damage_ = how;
  damaged_left_ = characters;
}

nanoseconds receiver::middle_of(unsigned bit) const noexcept {
  const nanoseconds baud = line_.receive_baud != 0 ? line_.receive_baud : line_.baud;
  return edge_ + (2 * nanoseconds{bit} + 1) * 1'000'000'000 / (2 * baud);
}

// A start bit that is still to come may have been overtaken by another one.
void receiver::look() {
  if (!on_ || edge_ <= now()) return;
  edge_ = wave_.find_fall(ready_from_);
  edge_ == never ? timer_.stop() : timer_.start_at(time_point(duration(middle_of(bits_before_stop()))));
}

bool receiver::sample(unsigned bit) { return wave_.level(middle_of(bit)) != noise_.one_in(one_bad_bit_in_); }

void receiver::complete() {
  const bool was_noise = sample(0);
  character found;
  if (!was_noise) found = read_character();
  ready_from_ = was_noise ? middle_of(0) : now();
  edge_ = never;
  wave_.forget_before(ready_from_);
  look();
  if (was_noise) return;
  if (damaged_left_ != 0) damage(found);
  heard_(found);
}

receiver::character receiver::read_character() {
  unsigned value = 0;
  bool any = false;
  for (unsigned i = 0; i != line_.data_bits; ++i) value |= unsigned(sample(1 + i)) << i;
  any = value != 0;
  bool parity_is_right = true;
  if (line_.parity != serial::parity::none) {
    const bool got = sample(1u + line_.data_bits);
    any = any || got;
    parity_is_right = got == parity_bit(value, line_.parity);
  }
  const bool stopped = sample(bits_before_stop());
  character found{static_cast<std::byte>(value), {}};
  if (!stopped)
    found.error = any ? serial::line_error::framing : serial::line_error::line_break;
  else if (!parity_is_right)
    found.error = serial::line_error::parity;
  return found;
}

void receiver::damage(character& what) noexcept {
  --damaged_left_;
  const bool unseen = damage_ == serial::line_error::parity && line_.parity == serial::parity::none;
  if (unseen) what.value ^= std::byte{1};
  if (!unseen) what.error = damage_;
  if (damage_ == serial::line_error::line_break) what.value = std::byte{0};
}

}  // namespace sluice::testing::detail
