#include "system_line.hpp"

#include <sluice/error.hpp>

#include <fcntl.h>
#include <grp.h>
#include <linux/serial.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <utility>

#include "bus_switch.hpp"
#include "latency_timer.hpp"

namespace sluice::serial {
namespace {

constexpr auto shortest_latency = std::chrono::milliseconds(1);

std::error_code last_error() noexcept { return system_error(errno); }

bool is_pseudo_terminal(const struct stat& file) noexcept {
  const unsigned number = major(file.st_rdev);
  return number >= 136 && number <= 143;
}

// Where the system describes the device behind a file.
std::filesystem::path description_of(const struct stat& file, const std::string& sys) {
  const std::string numbers = std::to_string(major(file.st_rdev)) + ":" + std::to_string(minor(file.st_rdev));
  return std::filesystem::path(sys) / "dev/char" / numbers / "device";
}

std::string driver_of(const struct stat& file, const std::filesystem::path& device) {
  if (is_pseudo_terminal(file)) return "pty";
  std::error_code error;
  return std::filesystem::read_symlink(device / "driver", error).filename().string();
}

std::string group_name(gid_t number) {
  std::array<char, 4096> room;
  group entry;
  group* found = nullptr;
  if (::getgrgid_r(number, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) return entry.gr_name;
  return "number " + std::to_string(number);
}

std::string who_may_open(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return {};
  if ((file.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP)) return "; only its owner may open it";
  return "; the group that may open it is " + group_name(file.st_gid) + ": this user has to be a member";
}

std::string explain(const std::string& path, int error) {
  std::string text = path + ": " + system_error(error).message();
  switch (error) {
    case ENOENT: return text + "; is the device plugged in?";
    case EACCES:
    case EPERM: return text + who_may_open(path);
    case EBUSY: return text + describe_holder(-1, path);
    case ENXIO:
    case ENODEV: return text + "; the file is there and its device is not";
    case EIO: return text + "; the device does not answer";
    default: return text;
  }
}

std::error_code refuse(std::error_code error, std::string text, std::string& why) {
  why = std::move(text);
  return error;
}

std::error_code set_modem_bits(int descriptor, line_level level, int bit) noexcept {
  if (level == line_level::keep) return {};
  return ::ioctl(descriptor, level == line_level::on ? TIOCMBIS : TIOCMBIC, &bit) == 0 ? std::error_code() : last_error();
}

result<descriptor> open_file(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return {last_error(), explain(path, errno)};
  if (!S_ISCHR(file.st_mode)) return {errc::not_a_terminal, path + " is not a device; expected a serial line such as /dev/ttyUSB0"};
  descriptor made(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!made) return {last_error(), explain(path, errno)};
  return made;
}

}  // namespace

result<system_line> system_line::open(const std::string& path, const open_settings& wanted, const system_places& where) {
  system_line line;
  line.wanted_ = wanted;
  if (wanted.lock.lock_file) {
    auto taken = lock_file::take(path, where.locks);
    if (!taken) return {taken.error(), taken.detail()};
    line.file_ = std::move(*taken);
  }
  auto file = open_file(path);
  if (!file) return {file.error(), file.detail()};
  line.descriptor_ = std::move(*file);
  std::string why;
  if (const std::error_code error = line.prepare(path, where.sys, why)) return {error, std::move(why)};
  return line;
}

// The descriptor is open and nothing is known of it.
std::error_code system_line::prepare(const std::string& path, const std::string& sys, std::string& why) {
  struct stat file {};
  ::fstat(get(), &file);
  if (const std::error_code error = read_terminal(get(), found_settings_)) {
    descriptor_.close();
    if (error == std::errc::inappropriate_io_control_operation)
      return refuse(errc::not_a_terminal, path + " is a device without settings of a terminal; expected a serial line such as /dev/ttyUSB0",
                    why);
    return refuse(error, explain(path, error.value()), why);
  }
  const std::filesystem::path device = description_of(file, sys);
  found_.driver = driver_of(file, device);
  found_.pretends = is_pseudo_terminal(file);
  const auto locked = lock_descriptor(get(), path, wanted_.lock);
  if (!locked) {
    descriptor_.close();  // as it was found: it is somebody else's
    return refuse(locked.error(), locked.detail(), why);
  }
  const auto applied = configure(wanted_.line);
  if (!applied) return refuse(applied.error(), path + ": " + applied.detail(), why);
  for (const auto& [level, bit] : {std::pair(wanted_.dtr, TIOCM_DTR), std::pair(wanted_.rts, TIOCM_RTS)})
    if (const std::error_code error = set_modem_bits(get(), level, bit))
      return refuse(error, path + ": setting " + (bit == TIOCM_DTR ? "DTR: " : "RTS: ") + error.message(), why);
  look_after_latency(device);
  return {};
}

result<settings> system_line::configure(const settings& wanted) {
  terminal_state state;
  if (const std::error_code error = read_terminal(get(), state)) return {error, "reading the settings: " + error.message()};
  encode(wanted, wanted_.hang_up_on_close, state);
  if (const std::error_code error = write_terminal(get(), state))
    return {error, "the driver " + found_.driver + " refuses " + to_string(wanted) + ": " + error.message()};
  if (const auto bus = configure_bus(wanted); !bus) return {bus.error(), bus.detail()};
  if (const std::error_code error = read_terminal(get(), state)) return {error, "reading the settings back: " + error.message()};
  found_.line = decode(state);
  if (wanted.rs485.enabled && !wanted.rs485.switch_in_software) found_.line.rs485 = read_bus(get());
  return found_.line;
}

// Also turns off what an earlier program has left on; where the driver knows no such thing that is off already.
result<bool> system_line::configure_bus(const settings& wanted) {
  const std::error_code error = write_bus(get(), wanted.rs485.switch_in_software ? rs485_settings() : wanted.rs485);
  if (!error || !wanted.rs485.enabled || wanted.rs485.switch_in_software) return true;
  return {errc::rs485_not_supported, "the driver " + found_.driver + " cannot switch an RS-485 transceiver (" + error.message() +
                                         "); switching in software is an option"};
}

std::error_code system_line::ask_driver_for_low_latency() noexcept {
  serial_struct state{};
  if (::ioctl(get(), TIOCGSERIAL, &state) != 0) return last_error();
  state.flags = static_cast<int>(static_cast<unsigned>(state.flags) | ASYNC_LOW_LATENCY);
  return ::ioctl(get(), TIOCSSERIAL, &state) == 0 ? std::error_code() : last_error();
}

// Where the adapter has a timer, that is what counts: a driver that is asked sets it as well, unless it has been set behind its back.
void system_line::look_after_latency(const std::filesystem::path& device) {
  if (wanted_.low_latency) found_.low_latency = ask_driver_for_low_latency();
  found_.latency_timer = read_latency_timer(device);
  if (!wanted_.low_latency || !found_.latency_timer) return;
  found_.low_latency = {};
  if (*found_.latency_timer <= shortest_latency) return;
  found_.low_latency = write_latency_timer(device, shortest_latency);
  found_.latency_timer = read_latency_timer(device);
}

// Only what the driver says that it holds: of a pseudo-terminal a flush would take what the other side has not read yet.
void system_line::drop_output() const noexcept {
  int queued = 0;
  if (::ioctl(get(), TIOCOUTQ, &queued) == 0 && queued > 0) ::ioctl(get(), TCFLSH, TCOFLUSH);
}

void system_line::close() noexcept {
  if (!descriptor_) return;
  drop_output();
  serial_struct state{};
  if (::ioctl(get(), TIOCGSERIAL, &state) == 0) {
    state.closing_wait = ASYNC_CLOSING_WAIT_NONE;
    ::ioctl(get(), TIOCSSERIAL, &state);  // needs a privilege; without it the close may take 30 s
  }
  if (wanted_.restore_on_close) write_terminal(get(), found_settings_);
  unlock_descriptor(get(), wanted_.lock);
  descriptor_.close();
  file_.remove();
}

}  // namespace sluice::serial
