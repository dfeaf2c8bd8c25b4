#include "child_pipes.hpp"

#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace sluice::process {
namespace {

opened_pipes refuse(std::error_code error, const std::string& problem) {
  return {{}, error, "starting a process: " + problem + ": " + error.message()};
}

bool open_pipe(child_pipes& into, int number) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  descriptor from(ends[0]), to(ends[1]);
  const bool is_input = number == STDIN_FILENO;
  descriptor& ours = into.ours[static_cast<std::size_t>(number)] = std::move(is_input ? to : from);
  into.theirs[static_cast<std::size_t>(number)] = std::move(is_input ? from : to);
  return ::fcntl(ours.get(), F_SETFL, O_NONBLOCK) == 0;
}

bool open_one(child_pipes& into, int number, stream what) {
  const auto at = static_cast<std::size_t>(number);
  switch (what) {
    case stream::pipe:
      if (!open_pipe(into, number)) return false;
      into.map.push_back({into.theirs[at].get(), number});
      return true;
    case stream::inherit: into.map.push_back({number, number}); return true;
    case stream::null:
      into.theirs[at] = descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
      into.map.push_back({into.theirs[at].get(), number});
      return into.theirs[at].is_open();
    case stream::merge: into.map.push_back({into.map.back().here, number}); return true;  // behind that of the output
  }
  return false;
}

bool open_terminal(child_pipes& into, const terminal_size& size) {
  into.is_terminal = true;
  descriptor master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0) return false;
  char name[128];
  if (::ptsname_r(master.get(), name, sizeof name) != 0) return false;
  descriptor slave(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave || set_terminal_size(master.get(), size)) return false;
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) into.map.push_back({slave.get(), number});
  into.ours[0] = std::move(master);
  into.theirs[0] = std::move(slave);
  return true;
}

const char* what_is_wrong(const options& wanted) noexcept {
  if (wanted.program.empty()) return "there is no program; expected a path or the name of one";
  if (wanted.input == stream::merge || wanted.output == stream::merge) return "only the error stream can be merged into the output";
  for (const passed_descriptor& each : wanted.pass)
    if (each.in_child <= STDERR_FILENO) return "a descriptor is passed under a number below 3; expected 3 or more";
  return nullptr;
}

}  // namespace

std::error_code set_terminal_size(int master, const terminal_size& size) noexcept {
  winsize told{};
  told.ws_row = static_cast<unsigned short>(size.rows);
  told.ws_col = static_cast<unsigned short>(size.columns);
  return ::ioctl(master, TIOCSWINSZ, &told) == 0 ? std::error_code() : system_error(errno);
}

opened_pipes open_pipes(const options& wanted) {
  if (const char* wrong = what_is_wrong(wanted)) return refuse(system_error(EINVAL), wrong);
  opened_pipes opened;
  child_pipes& made = opened.pipes;
  if (wanted.terminal) {
    if (!open_terminal(made, *wanted.terminal)) return refuse(system_error(errno), "opening a terminal");
  } else {
    const std::pair<int, stream> streams[] = {{STDIN_FILENO, wanted.input}, {STDOUT_FILENO, wanted.output}, {STDERR_FILENO, wanted.error}};
    for (const auto& [number, what] : streams)
      if (!open_one(made, number, what)) return refuse(system_error(errno), "opening its descriptor " + std::to_string(number));
  }
  for (const passed_descriptor& each : wanted.pass) made.map.push_back({each.here, each.in_child});
  return opened;
}

}  // namespace sluice::process
