#pragma once

#include <sluice/serial/device.hpp>
#include <sluice/timer.hpp>

#include <functional>

#include "bus_turn_machine.hpp"

namespace sluice::serial {

// Switches a transceiver by RTS around each burst of output, for drivers that cannot: late by as much as timers are.
class software_bus {
 public:
  // `has_left` says whether all output is out of the interface; `go` sends what waits. Neither is called from inside a call.
  software_bus(scheduler& owner, device& line, const rs485_settings& how, std::function<bool()> has_left, std::function<void()> go);
  // Leaves the bus to others.
  ~software_bus();

  // Something is to be sent: true if it may go now, else `go` follows.
  bool wants_to_send();

 private:
  using action = bus_turn_machine::action;
  void perform(action then);
  void time_passed();
  void set_rts(bool on);

  device& line_;
  rs485_settings how_;
  std::function<bool()> has_left_;
  std::function<void()> go_;
  bus_turn_machine machine_;
  timer timer_;
};

}  // namespace sluice::serial
