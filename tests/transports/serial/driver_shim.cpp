#include "driver_shim.hpp"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <mutex>
#include <optional>

namespace driver_shim {
namespace {

std::mutex guard;
driver the_driver;

int fail(int error) {
  errno = error;
  return -1;
}

int set_break(bool on) {
  the_driver.breaks += static_cast<int>(on && !the_driver.in_break);
  the_driver.in_break = on;
  return 0;
}

int set_bus(serial_rs485& wanted) {
  if (!the_driver.knows_bus) return fail(ENOTTY);
  the_driver.bus = wanted;
  the_driver.bus.delay_rts_before_send = std::min(wanted.delay_rts_before_send, the_driver.longest_bus_delay);
  the_driver.bus.delay_rts_after_send = std::min(wanted.delay_rts_after_send, the_driver.longest_bus_delay);
  return 0;
}

int set_up(const serial_struct& wanted) {
  if (!the_driver.may_set_up) return fail(EPERM);
  the_driver.set_up = wanted;
  return 0;
}

// Nothing where the system answers by itself.
std::optional<int> answer(unsigned long request, void* argument) {
  const std::lock_guard lock(guard);
  int* const bits = static_cast<int*>(argument);  // of the three that have some
  switch (request) {
    case TIOCMGET: *bits = the_driver.lines; return 0;
    case TIOCMBIS: the_driver.lines |= *bits; return 0;
    case TIOCMBIC: the_driver.lines &= ~*bits; return 0;
    case TIOCSBRK: return set_break(true);
    case TIOCCBRK: return set_break(false);
    case TIOCGICOUNT: *static_cast<serial_icounter_struct*>(argument) = the_driver.counters; return 0;
    case TIOCSRS485: return set_bus(*static_cast<serial_rs485*>(argument));
    case TIOCGRS485: *static_cast<serial_rs485*>(argument) = the_driver.bus; return 0;
    case TIOCGSERIAL: *static_cast<serial_struct*>(argument) = the_driver.set_up; return 0;
    case TIOCSSERIAL: return set_up(*static_cast<serial_struct*>(argument));
    case TIOCSERGETLSR: *static_cast<unsigned*>(argument) = the_driver.line_status; return 0;
    default: return std::nullopt;
  }
}

}  // namespace

void with(const std::function<void(driver&)>& use) {
  const std::lock_guard lock(guard);
  use(the_driver);
}

}  // namespace driver_shim

extern "C" int ioctl(int descriptor, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (const auto answered = driver_shim::answer(request, argument)) return *answered;
  return static_cast<int>(::syscall(SYS_ioctl, descriptor, request, argument));
}
