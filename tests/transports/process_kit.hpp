#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

// Other processes in tests of sockets.
namespace socket_kit {

// The program `name` beside the one that runs.
std::string program_beside(const std::string& name);

// A process that was started with some descriptors as 3 and so on, as systemd starts one. Killed when it is destroyed.
class activated_process {
 public:
  struct request {
    std::vector<std::string> command;
    std::vector<int> descriptors = {};
    std::vector<std::pair<std::string, std::string>> environment = {};  // "{pid}" in a value is the number of the new process
  };
  explicit activated_process(const request& wanted);
  activated_process(const activated_process&) = delete;
  activated_process& operator=(const activated_process&) = delete;
  ~activated_process();

  // The next line that it writes to standard output, empty at the end; fails the test after half a minute.
  std::string read_line();
  // Sends SIGTERM and waits; what `waitpid` says.
  int stop();
  pid_t number() const noexcept { return number_; }

 private:
  pid_t number_ = -1;
  int output_ = -1;
  std::string unread_;
};

// Waits for a child that somebody else started, half a minute at most; what `waitpid` says.
int wait_for_child(pid_t number);

}  // namespace socket_kit
