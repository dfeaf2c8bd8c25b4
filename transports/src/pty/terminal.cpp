#include "terminal.hpp"

#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <cerrno>
#include <cstdlib>

namespace sluice::pty {
namespace {

constexpr std::size_t longest_path = 128;

std::error_code last_error() noexcept { return system_error(errno); }

std::error_code make_raw(int terminal) noexcept {
  termios now{};
  if (::tcgetattr(terminal, &now) != 0) return last_error();
  ::cfmakeraw(&now);
  return ::tcsetattr(terminal, TCSANOW, &now) == 0 ? std::error_code() : last_error();
}

}  // namespace

terminal terminal::make(std::optional<unsigned> mode, std::error_code& error) {
  terminal made;
  error = made.open(mode);
  return error ? terminal() : std::move(made);
}

std::error_code terminal::open(std::optional<unsigned> mode) {
  master_ = descriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  char path[longest_path];
  if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0) return last_error();
  if (const int problem = ::ptsname_r(master_.get(), path, sizeof path)) return system_error(problem);
  path_ = path;
  held_ = descriptor(::open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!held_) return last_error();
  if (mode && ::fchmod(held_.get(), static_cast<mode_t>(*mode)) != 0) return last_error();
  const int on = 1;
  if (::ioctl(master_.get(), TIOCPKT, &on) != 0) return last_error();
  return make_raw(held_.get());
}

descriptor terminal::other_side_of(int master) noexcept {
  return descriptor(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace sluice::pty
