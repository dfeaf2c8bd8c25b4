#include "bus_switch.hpp"

#include <sluice/error.hpp>

#include <linux/serial.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace sluice::serial {
namespace {

struct flag {
  unsigned bit;
  bool rs485_settings::*member;
};
constexpr flag flags[] = {{SER_RS485_ENABLED, &rs485_settings::enabled},
                          {SER_RS485_RTS_ON_SEND, &rs485_settings::rts_on_send},
                          {SER_RS485_RTS_AFTER_SEND, &rs485_settings::rts_after_send},
                          {SER_RS485_RX_DURING_TX, &rs485_settings::receive_while_sending},
                          {SER_RS485_TERMINATE_BUS, &rs485_settings::terminate_bus}};

}  // namespace

std::error_code write_bus(int descriptor, const rs485_settings& wanted) noexcept {
  serial_rs485 request{};
  if (wanted.enabled)
    for (const flag& each : flags)
      if (wanted.*each.member) request.flags |= each.bit;
  request.delay_rts_before_send = static_cast<unsigned>(wanted.delay_before_send.count());
  request.delay_rts_after_send = static_cast<unsigned>(wanted.delay_after_send.count());
  return ::ioctl(descriptor, TIOCSRS485, &request) == 0 ? std::error_code() : system_error(errno);
}

rs485_settings read_bus(int descriptor) noexcept {
  serial_rs485 state{};
  rs485_settings found;
  if (::ioctl(descriptor, TIOCGRS485, &state) != 0) return found;
  for (const flag& each : flags) found.*each.member = (state.flags & each.bit) != 0;
  found.delay_before_send = std::chrono::milliseconds(state.delay_rts_before_send);
  found.delay_after_send = std::chrono::milliseconds(state.delay_rts_after_send);
  return found;
}

}  // namespace sluice::serial
