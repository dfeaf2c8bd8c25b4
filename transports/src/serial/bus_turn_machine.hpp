#pragma once

#include <cstdint>

namespace sluice::serial {

// Whose turn it is on a two-wire bus, as a pure value: each event returns the one thing that has to be done next.
class bus_turn_machine {
 public:
  enum class state : std::uint8_t {
    receiving,  // the transceiver listens
    switching,  // it was switched to sending, and needs its time
    sending,    // output goes
    leaving     // the last bit has left, and the time behind it runs
  };
  enum class action : std::uint8_t {
    none,
    switch_to_send,      // then report `switched`
    send,                // what waits may go now
    wait_behind_output,  // then report `waited`
    switch_to_receive
  };

  state current() const noexcept { return state_; }
  bool may_send() const noexcept { return state_ == state::sending; }

  // Something is to be sent.
  action output_wanted() noexcept {
    switch (state_) {
      case state::receiving: state_ = state::switching; return action::switch_to_send;
      case state::leaving: state_ = state::sending; return action::send;
      case state::switching:
      case state::sending: return action::none;
    }
    return action::none;
  }
  action switched() noexcept {
    if (state_ != state::switching) return action::none;
    state_ = state::sending;
    return action::send;
  }
  // All output has left the interface.
  action output_gone() noexcept {
    if (state_ != state::sending) return action::none;
    state_ = state::leaving;
    return action::wait_behind_output;
  }
  action waited() noexcept {
    if (state_ != state::leaving) return action::none;
    state_ = state::receiving;
    return action::switch_to_receive;
  }

 private:
  state state_ = state::receiving;
};

}  // namespace sluice::serial
