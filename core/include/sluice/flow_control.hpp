#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice {

/// The two marks between which a transport's unsent output swings, in bytes. Above `high` writing is paused, at `low` it is resumed.
struct watermarks {
  std::size_t low = 16 * 1024;
  std::size_t high = 64 * 1024;
  friend bool operator==(const watermarks&, const watermarks&) = default;
};

/// What a user asks for: an unset `low` becomes `high / 4`, an unset `high` becomes `4 * low`, both unset the defaults (rules F1–F3).
struct write_buffer_limits {
  std::optional<std::size_t> high;
  std::optional<std::size_t> low;
};

/// The marks that `limits` stand for, or nothing if `low` is above `high`.
std::optional<watermarks> resolve(const write_buffer_limits& limits, watermarks defaults = {}) noexcept;

/// Says when to tell a protocol to pause and to resume; a pure value (rules F4–F8).
///
/// Pause and resume strictly alternate whatever sizes are reported, and nothing is said after `closed()`.
class flow_control_machine {
 public:
  enum class state : std::uint8_t {
    writable,
    paused,
    closed
  };
  enum class action : std::uint8_t {
    none,
    pause,
    resume
  };

  state current() const noexcept { return state_; }

  /// `size` bytes are left after a send was tried, after bytes drained or after the marks changed. `pause` above the high mark, `resume` at
  /// the low mark or below.
  action evaluate(std::size_t size, watermarks marks) noexcept;

  /// Closing began, by whatever path: a pause is never resumed (rule F8).
  void closed() noexcept { state_ = state::closed; }

  /// Another protocol takes over and has been told nothing yet (rule F15): it hears of a pause by the next `evaluate`.
  void replaced() noexcept;

 private:
  state state_ = state::writable;
};

}  // namespace sluice
