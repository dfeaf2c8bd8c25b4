#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <sluice/bytes.hpp>
#include <sluice/memory.hpp>

namespace sluice::memory {

// Numbers that are handed out in turn, for ever; none at all is no limit.
class pattern {
 public:
  pattern() = default;
  explicit pattern(std::vector<std::size_t> numbers) : numbers_(std::move(numbers)) {}

  std::size_t next() noexcept {
    if (numbers_.empty()) return static_cast<std::size_t>(-1);
    const std::size_t number = numbers_[at_];
    at_ = (at_ + 1) % numbers_.size();
    return number;
  }

 private:
  std::vector<std::size_t> numbers_;
  std::size_t at_ = 0;
};

// What travels one way: bytes, then an end or a failure, each with the time at which it arrives. Knows no ends, clocks or callbacks.
// Allocates when it is made, and for more segments on their way than ever before.
class direction {
 public:
  explicit direction(const options& settings);

  // The sender's side. `arrives` never makes anything overtake what was sent before.
  std::size_t room() const noexcept { return capacity_ - size(); }
  std::size_t write(std::span<const const_bytes> parts, std::size_t most, time_point arrives);  // bytes taken
  void end(time_point arrives) noexcept;                                                        // after all bytes so far
  void fail(std::error_code error, time_point arrives) noexcept;                                // destroys what is beyond the window

  // The receiver's side. What the following functions tell changes only by these two.
  void settle(time_point now) noexcept;  // takes in what has arrived
  std::size_t read(mutable_bytes into) noexcept;
  std::size_t readable() const noexcept { return static_cast<std::size_t>(arrived_ - read_); }
  bool at_end() const noexcept { return end_ == stage::arrived && read_ == written_; }
  bool end_arrived() const noexcept { return end_ == stage::arrived; }
  std::error_code failure() const noexcept { return failure_ == stage::arrived ? error_ : std::error_code(); }
  time_point next_arrival() const noexcept;  // of what is still on its way; max() if nothing is

  std::size_t size() const noexcept { return static_cast<std::size_t>(written_ - read_); }

  // The receiver is gone, and bytes have come for it.
  bool strands() const noexcept { return size() != 0 || swallowed_; }
  void discard() noexcept;

  // What the link's handle sets.
  bool stalled = false;
  bool cut = false;
  duration latency;
  pattern send_limits;
  pattern receive_limits;
  std::error_code send_error;

 private:
  enum class stage : std::uint8_t {
    none,
    travelling,
    arrived
  };
  struct segment {
    std::uint64_t end;
    time_point arrives;
  };

  time_point in_order(time_point arrives) noexcept;
  std::size_t swallow(std::span<const const_bytes> parts, std::size_t most) noexcept;
  void append(const_bytes data) noexcept;
  void add_segment(time_point arrives) noexcept;

  std::size_t capacity_;
  std::size_t window_;
  std::unique_ptr<std::byte[]> ring_;
  std::uint64_t written_ = 0;  // the positions count all bytes ever sent
  std::uint64_t arrived_ = 0;
  std::uint64_t read_ = 0;
  std::vector<segment> segments_;  // on their way, from first_segment_ on
  std::size_t first_segment_ = 0;
  time_point last_arrival_{};
  stage end_ = stage::none;
  time_point end_arrives_{};
  stage failure_ = stage::none;
  time_point failure_arrives_{};
  std::error_code error_;
  bool swallowed_ = false;
};

}  // namespace sluice::memory
