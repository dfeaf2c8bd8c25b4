#pragma once

#include <sluice/couple.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace sluice::detail {

// What the two protocols of a coupling share. Each tells what happened at its end, by number; the consequence is always at the other one.
class coupled_ends {
 public:
  coupled_ends(scheduler& owner, coupling_handler on_end, const couple_options& settings);

  void made(std::size_t at, transport& connection);
  void received(std::size_t at, const_bytes data);
  void input_ended(std::size_t at);
  void above_mark(std::size_t at);
  void at_low_mark(std::size_t at);
  void lost(std::size_t at, std::error_code reason);
  // Its protocol is destroyed: if the end is not over yet, it never will be.
  void left(std::size_t at);

  transport* connection(std::size_t at) const noexcept { return ends_[at].is_there() ? ends_[at].connection : nullptr; }
  bool is_over() const noexcept { return ends_[0].stage == stage::over && ends_[1].stage == stage::over; }
  coupling_report report() const noexcept;

 private:
  enum class stage {
    awaited,
    open,
    input_ended,  // it takes output
    over
  };
  struct end {
    bool is_there() const noexcept { return stage == stage::open || stage == stage::input_ended; }

    coupled_ends::stage stage = coupled_ends::stage::awaited;
    bool is_above_mark = false;
    transport* connection = nullptr;
    transport_ref alive;
    duration longest_silence{};
    coupled_direction out;  // what it received and the other one was given
    std::error_code reason;
  };

  // While `silence_` is running: the end that may still have an answer.
  std::size_t asked() const noexcept { return ends_[0].stage == stage::open ? 0 : 1; }

  void end_output(std::size_t at);
  void count_silence();
  void heard_nothing();
  void finish(end& gone, end& other);

  scheduler& owner_;
  std::array<end, 2> ends_;
  coupling_handler on_end_;
  timer silence_;
  std::size_t unsent_ = 0;  // of the asked end, when its silence began
};

}  // namespace sluice::detail
