#pragma once

#include <sluice/scheduler.hpp>

#include <cstdint>

namespace sluice {

/// When to connect again, and when to give up. A pure value: time and luck are arguments; each event returns the one thing that has to be done
/// next.
///
/// Attempts form series. In one, the pause before each next attempt is drawn from zero to a ceiling that doubles ("full jitter": clients that
/// lost their server together do not come back together). A connection that has lasted for `settled` ends its series; one that was lost
/// earlier counts as one more failure, so that a server which accepts and hangs up is not called without pause.
class reconnect_machine {
 public:
  /// What follows when a connection ends in good order, with an empty reason.
  enum class orderly_end : std::uint8_t {
    reconnect,  ///< As after any other end.
    finish      ///< Nothing: it was what was wanted.
  };

  struct settings {
    duration shortest = std::chrono::milliseconds(100);  ///< The ceiling of a series' first pause; above 0.
    duration longest = std::chrono::seconds(10);         ///< The ceiling never exceeds it; at least `shortest`.
    duration settled = std::chrono::seconds(5);          ///< A connection that lasted so long was a success.
    unsigned attempts = 0;                               ///< The most attempts of a series; 0 is no limit.
    /// How long a series may last: no attempt begins later, and the last one begins no earlier than that. 0 is no limit. An attempt under way
    /// is not cut off, it has a timeout of its own.
    duration total{0};
    orderly_end after_orderly_end = orderly_end::reconnect;
  };

  enum class state : std::uint8_t {
    idle,        ///< Not started.
    connecting,  ///< An attempt is under way.
    hurried,     ///< As `connecting`, and `retry_now` came meanwhile: if it fails, the next follows at once.
    connected,   ///< There is a connection.
    waiting,     ///< The pause before the next attempt.
    given_up,    ///< A limit was reached.
    finished,    ///< The connection ended in good order, and that was all.
    stopped      ///< `stop` was called.
  };

  /// What to do next. At most one thing per event.
  enum class action : std::uint8_t {
    none,
    connect,  ///< Begin an attempt; report `made` or `failed`. A pause that is under way is over.
    wait,     ///< Report `pause_over` when `pause()` has passed.
    give_up,  ///< Nothing more happens: a limit was reached.
    finish,   ///< Nothing more happens: the end was in good order.
    cancel    ///< End what is under way: attempt, pause or connection. Nothing more happens.
  };

  /// Equal seeds draw equal pauses. `std::invalid_argument` if a number in `how` makes no sense.
  reconnect_machine(const settings& how, std::uint64_t seed);

  action start(time_point now) noexcept;                     ///< Begin a series, unless one or a connection is under way.
  action made(time_point now) noexcept;                      ///< The attempt made a connection.
  action failed(time_point now) noexcept;                    ///< The attempt made none.
  action lost(time_point now, bool in_good_order) noexcept;  ///< The connection is over.
  action pause_over() noexcept;                              ///< The pause has passed.
  action retry_now() noexcept;                               ///< The world has changed: a pause ends, and ceilings begin at `shortest`.
  action stop() noexcept;                                    ///< Nobody wants a connection any more.

  state current() const noexcept { return state_; }
  /// An attempt, a pause or a connection is under way.
  bool is_active() const noexcept { return state_ >= state::connecting && state_ <= state::waiting; }
  /// Of the series, from 1 for the first.
  unsigned attempts() const noexcept { return attempts_; }
  /// What `action::wait` asks for.
  duration pause() const noexcept { return pause_; }

 private:
  void begin_series(time_point now) noexcept;
  action connect() noexcept;
  action go_on(time_point now, duration pause) noexcept;
  action end(state how, action then) noexcept;
  bool is_spent(time_point now) const noexcept;
  duration draw() noexcept;

  settings how_;
  std::uint64_t random_;
  state state_ = state::idle;
  unsigned attempts_ = 0;
  duration ceiling_{0};
  duration pause_{0};
  time_point began_{};  // the series
  time_point made_{};   // the connection
};

const char* to_string(reconnect_machine::state value) noexcept;

}  // namespace sluice
