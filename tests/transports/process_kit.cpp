#include "process_kit.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <doctest/doctest.h>

#include "socket_kit.hpp"

namespace socket_kit {
namespace {

void replace(std::string& text, const std::string& what, const std::string& by) {
  if (const auto at = text.find(what); at != text.npos) text.replace(at, what.size(), by);
}

// Between fork and exec; what fails ends the child with a status that no program of ours has.
[[noreturn]] void run(const activated_process::request& wanted, int output) {
  ::dup2(output, STDOUT_FILENO);
  std::vector<int> high;  // out of the way of the numbers that they are to have
  for (const int each : wanted.descriptors) high.push_back(::fcntl(each, F_DUPFD_CLOEXEC, 64));
  for (std::size_t i = 0; i < high.size(); ++i) ::dup2(high[i], 3 + static_cast<int>(i));
  for (auto [name, value] : wanted.environment) {
    replace(value, "{pid}", std::to_string(::getpid()));
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> arguments;
  for (const std::string& each : wanted.command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  ::_exit(99);
}

}  // namespace

std::string program_beside(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename(name).string();
}

activated_process::activated_process(const request& wanted) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  number_ = ::fork();
  if (number_ == 0) run(wanted, ends[1]);
  ::close(ends[1]);
  output_ = ends[0];
}

activated_process::~activated_process() {
  if (number_ > 0) {
    ::kill(number_, SIGKILL);
    wait_for_child(number_);
  }
  ::close(output_);
}

std::string activated_process::read_line() {
  for (;;) {
    if (const auto end = unread_.find('\n'); end != unread_.npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    wait_for(output_, POLLIN);
    char block[4096];
    const ssize_t n = ::read(output_, block, sizeof block);
    if (n <= 0) return {};
    unread_.append(block, static_cast<std::size_t>(n));
  }
}

int activated_process::stop() {
  ::kill(number_, SIGTERM);
  return wait_for_child(std::exchange(number_, -1));
}

int wait_for_child(pid_t number) {
  const int ending = static_cast<int>(::syscall(SYS_pidfd_open, number, 0));
  if (ending >= 0) {
    wait_for(ending, POLLIN);
    ::close(ending);
  }
  int status = -1;
  ::waitpid(number, &status, 0);
  return status;
}

}  // namespace socket_kit
