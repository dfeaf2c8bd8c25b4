#include "terminal_settings.hpp"

#include <sluice/error.hpp>

#include <asm/termbits.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace sluice::serial {
namespace {

static_assert(sizeof(termios2) <= sizeof(terminal_state));

termios2 load(const terminal_state& state) noexcept {
  termios2 result;
  std::memcpy(&result, state.raw, sizeof result);
  return result;
}

void store(const termios2& value, terminal_state& state) noexcept { std::memcpy(state.raw, &value, sizeof value); }

tcflag_t size_flags(std::uint8_t data_bits) noexcept {
  switch (data_bits) {
    case 5: return CS5;
    case 6: return CS6;
    case 7: return CS7;
    default: return CS8;
  }
}

std::uint8_t size_of(tcflag_t flags) noexcept {
  switch (flags & CSIZE) {
    case CS5: return 5;
    case CS6: return 6;
    case CS7: return 7;
    default: return 8;
  }
}

tcflag_t parity_flags(parity value) noexcept {
  switch (value) {
    case parity::none: return 0;
    case parity::even: return PARENB;
    case parity::odd: return PARENB | PARODD;
    case parity::mark: return PARENB | PARODD | CMSPAR;
    case parity::space: return PARENB | CMSPAR;
  }
  return 0;
}

parity parity_of(tcflag_t flags) noexcept {
  if ((flags & PARENB) == 0) return parity::none;
  if ((flags & CMSPAR) != 0) return (flags & PARODD) != 0 ? parity::mark : parity::space;
  return (flags & PARODD) != 0 ? parity::odd : parity::even;
}

stop_bits stop_bits_of(tcflag_t flags) noexcept {
  if ((flags & CSTOPB) == 0) return stop_bits::one;
  return size_of(flags) == 5 ? stop_bits::one_and_half : stop_bits::two;
}

// Any rate goes as a number; the input's is that of the output where none is given.
void encode_rates(const settings& wanted, termios2& into) noexcept {
  into.c_cflag &= ~static_cast<tcflag_t>(CBAUD | CIBAUD);
  into.c_cflag |= BOTHER;
  into.c_ospeed = into.c_ispeed = wanted.baud;
  if (wanted.receive_baud == 0) return;
  into.c_cflag |= static_cast<tcflag_t>(BOTHER) << IBSHIFT;
  into.c_ispeed = wanted.receive_baud;
}

}  // namespace

std::error_code read_terminal(int descriptor, terminal_state& into) noexcept {
  termios2 now;
  if (::ioctl(descriptor, TCGETS2, &now) != 0) return system_error(errno);
  store(now, into);
  return {};
}

std::error_code write_terminal(int descriptor, const terminal_state& from) noexcept {
  const termios2 wanted = load(from);
  return ::ioctl(descriptor, TCSETS2, &wanted) == 0 ? std::error_code() : system_error(errno);
}

void encode(const settings& wanted, bool hang_up_on_close, terminal_state& into) noexcept {
  termios2 state = load(into);
  state.c_iflag = wanted.mark_errors ? PARMRK | INPCK : 0;
  if (wanted.flow == flow::xon_xoff) state.c_iflag |= IXON | IXOFF;
  state.c_oflag = 0;
  state.c_lflag = 0;
  state.c_cflag &= ~static_cast<tcflag_t>(CSIZE | CSTOPB | PARENB | PARODD | CMSPAR | CRTSCTS | HUPCL);
  state.c_cflag |= CREAD | CLOCAL | size_flags(wanted.data_bits) | parity_flags(wanted.parity);
  if (wanted.stop_bits != stop_bits::one) state.c_cflag |= CSTOPB;
  if (wanted.flow == flow::rts_cts) state.c_cflag |= CRTSCTS;
  if (hang_up_on_close) state.c_cflag |= HUPCL;
  encode_rates(wanted, state);
  store(state, into);
  wait_for_a_byte(into);
}

settings decode(const terminal_state& from) noexcept {
  const termios2 state = load(from);
  settings found;
  found.baud = state.c_ospeed;
  found.receive_baud = state.c_ispeed == state.c_ospeed ? 0 : state.c_ispeed;
  found.data_bits = size_of(state.c_cflag);
  found.parity = parity_of(state.c_cflag);
  found.stop_bits = stop_bits_of(state.c_cflag);
  if ((state.c_cflag & CRTSCTS) != 0)
    found.flow = flow::rts_cts;
  else if ((state.c_iflag & (IXON | IXOFF)) != 0)
    found.flow = flow::xon_xoff;
  found.mark_errors = (state.c_iflag & (PARMRK | INPCK)) == (PARMRK | INPCK);
  return found;
}

bool tells_changes(const terminal_state& state) noexcept { return (load(state).c_lflag & EXTPROC) != 0; }

void tell_changes(bool on, terminal_state& state) noexcept {
  termios2 changed = load(state);
  changed.c_lflag = on ? changed.c_lflag | EXTPROC : changed.c_lflag & ~static_cast<tcflag_t>(EXTPROC);
  store(changed, state);
}

bool waits_for_a_byte(const terminal_state& state) noexcept {
  const termios2 now = load(state);
  return now.c_cc[VMIN] >= 1 && now.c_cc[VTIME] == 0;
}

void wait_for_a_byte(terminal_state& state) noexcept {
  termios2 changed = load(state);
  changed.c_cc[VMIN] = 1;
  changed.c_cc[VTIME] = 0;
  store(changed, state);
}

}  // namespace sluice::serial
