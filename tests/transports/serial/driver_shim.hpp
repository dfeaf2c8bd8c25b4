#pragma once

#include <linux/serial.h>

#include <functional>

// Gives every pseudo-terminal of this process what it lacks: modem lines, breaks, counters, a bus, a transmitter. Linked in, it stands before
// the system's ioctl.
namespace driver_shim {

struct driver {
  int lines = 0;  // bits as of TIOCMGET
  bool in_break = false;
  int breaks = 0;  // begun
  serial_icounter_struct counters{};
  bool knows_bus = true;
  serial_rs485 bus{};
  unsigned longest_bus_delay = 1000;  // what a driver cuts longer ones to
  bool may_set_up = true;             // TIOCSSERIAL, else EPERM
  serial_struct set_up{};
  unsigned line_status = 0;  // as of TIOCSERGETLSR
};

// The one driver; from any thread.
void with(const std::function<void(driver&)>& use);

}  // namespace driver_shim
