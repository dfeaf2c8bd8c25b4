#include "standard_descriptor.hpp"

#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace sluice::stdio {
namespace {

struct found_state {
  bool in_use = false;
  bool has_modes = false;
  int flags = 0;
  termios modes{};
};

// Lives as long as the process, so that the end of it can restore.
struct registry {
  std::mutex guard;
  std::array<found_state, 2> found;
};
registry& all() noexcept {
  static registry* const made = new registry;
  return *made;
}

void restore(int number, found_state& found) noexcept {
  if (found.has_modes) ::tcsetattr(number, TCSANOW, &found.modes);
  if ((found.flags & O_NONBLOCK) == 0) {
    const int now = ::fcntl(number, F_GETFL);
    if (now >= 0) ::fcntl(number, F_SETFL, now & ~O_NONBLOCK);
  }
  found = {};
}

void restore_all() noexcept {
  const std::lock_guard lock(all().guard);
  for (int number : {STDIN_FILENO, STDOUT_FILENO})
    if (found_state& found = all().found[static_cast<std::size_t>(number)]; found.in_use) restore(number, found);
}

bool has_another_side(int number) noexcept {
  struct stat status {};
  return ::fstat(number, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

}  // namespace

bool standard_descriptor::claim() {
  [[maybe_unused]] static const int registered = std::atexit([] { restore_all(); });
  const std::lock_guard lock(all().guard);
  found_state& found = all().found[static_cast<std::size_t>(number_)];
  if (found.in_use) return false;
  found = {.in_use = true, .flags = ::fcntl(number_, F_GETFL)};
  claimed_ = true;
  return true;
}

std::error_code standard_descriptor::make_raw() noexcept {
  termios modes{};
  if (::tcgetattr(number_, &modes) != 0) return {};
  const std::lock_guard lock(all().guard);
  found_state& found = all().found[static_cast<std::size_t>(number_)];
  found.modes = modes;
  found.has_modes = true;
  ::cfmakeraw(&modes);
  return ::tcsetattr(number_, TCSANOW, &modes) == 0 ? std::error_code() : system_error(errno);
}

descriptor standard_descriptor::duplicate() const noexcept { return descriptor(::fcntl(number_, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)); }

void standard_descriptor::give_back() noexcept {
  if (!std::exchange(claimed_, false)) return;
  const std::lock_guard lock(all().guard);
  restore(number_, all().found[static_cast<std::size_t>(number_)]);
  if (!has_another_side(number_)) return;
  const descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null) ::dup2(null.get(), number_);
}

}  // namespace sluice::stdio
