#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <span>

#include "interposer.hpp"

namespace faults {

// What may happen to `which`, in the order in which a sweep tries it. Bytes are cut to what a fault's `most` says.
std::span<const fault> possible(call which) noexcept;

// Descriptors or memory are short: accepting is paused.
bool is_shortage(int error) noexcept;

// Calls that failed, or were cut short, by kind.
using tally = std::array<std::uint64_t, call_count>;

// Faults of every kind all the time; the same from the same seed, as long as the program makes the same calls.
class storm final : public plan {
 public:
  explicit storm(std::uint32_t seed);
  fault decide(call which, int descriptor, std::size_t bytes) override;

  const tally& struck() const noexcept { return struck_; }
  // An error that ends something was the answer to a call that nobody watched: an attempt to connect, say.
  bool has_answered(int error) const noexcept;

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  fault choose(call which, std::size_t bytes);

  std::mt19937 random_;
  std::size_t mean_distance_;  // of calls between faults
  std::size_t fatal_one_in_;   // 0: never
  std::size_t until_next_ = 0;
  bool shortage_allowed_;  // once: it pauses accepting
  tally struck_{};
  std::array<bool, 256> answered_{};
};

// One fault: the `variant`-th possible one, for the `n`-th call.
class single_fault final : public plan {
 public:
  single_fault(std::size_t n, std::size_t variant) : n_(n), variant_(variant) {}
  fault decide(call which, int descriptor, std::size_t bytes) override;

  // The n-th call was made.
  bool reached() const noexcept { return count_ > n_; }
  bool struck() const noexcept { return static_cast<bool>(fault_); }
  call struck_call() const noexcept { return call_; }
  fault what() const noexcept { return fault_; }

 private:
  std::size_t n_;
  std::size_t variant_;
  std::size_t count_ = 0;
  call call_ = call::receive;
  fault fault_;
};

}  // namespace faults
