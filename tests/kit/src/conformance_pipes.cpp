#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <sluice/loop.hpp>
#include <sluice/pipe.hpp>
#include <sluice/process.hpp>
#include <sluice/pty.hpp>
#include <sluice/testing/transport_conformance.hpp>

#include "loop_driver.hpp"

// Fixtures over descriptors that are read and written.

namespace sluice::testing {
namespace {

struct pipe_ends {
  descriptor from;
  descriptor to;
};

pipe_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  return {descriptor(ends[0]), descriptor(ends[1])};
}

transport& made(result<transport&> outcome) {
  if (!outcome) throw std::system_error(outcome.error(), outcome.detail());
  return *outcome;
}

class descriptor_fixture : public transport_fixture {
 public:
  sluice::loop& scheduler() override { return driver_.loop(); }
  bool run_until(const std::function<bool()>& done) override { return driver_.run_until(done); }

 protected:
  // What the transport made last that knows a `T` says of it, also where its `connection_made` threw.
  template <typename T>
  std::optional<T> of_the_last() {
    std::optional<T> found;
    std::uint64_t last = 0;
    scheduler().for_each_transport([&](transport& each) {
      const auto known = each.info<T>();
      if (!known || each.id() < last) return;
      last = each.id();
      found = *known;
    });
    return found;
  }

 private:
  loop_driver driver_;
};

class pipe_fixture final : public descriptor_fixture {
 public:
  void connect(protocol_ptr near, protocol_ptr far) override {
    pipe_ends there = make_pipe();
    pipe_ends back = make_pipe();
    pipe::open(scheduler(), std::move(back.from), std::move(there.to), std::move(near));
    made(pipe::open(scheduler(), std::move(there.from), std::move(back.to), std::move(far)));
  }
};

// The near end makes the pseudo-terminal, the far end is the program that opens it.
class pty_fixture final : public descriptor_fixture {
 public:
  void connect(protocol_ptr near, protocol_ptr far) override {
    pty::open(scheduler(), "", std::move(near), {.on_hangup = pty::hangup::end});
    const auto exported = of_the_last<pty::name>();
    const std::string path = exported ? exported->terminal : "";
    descriptor opened(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!opened) throw std::system_error(errno, std::generic_category(), path);
    made(pipe::open(scheduler(), std::move(opened), std::move(far)));
  }
};

// As `pipe_fixture`, with a name for each pipe while it is opened.
class fifo_fixture final : public descriptor_fixture {
 public:
  void connect(protocol_ptr near, protocol_ptr far) override {
    pipe_ends there = make_fifo();
    pipe_ends back = make_fifo();
    pipe::open(scheduler(), std::move(back.from), std::move(there.to), std::move(near));
    made(pipe::open(scheduler(), std::move(there.from), std::move(back.to), std::move(far)));
  }

 private:
  static pipe_ends make_fifo() {
    std::string folder = "/tmp/sluice-fifo-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) throw std::system_error(errno, std::generic_category(), folder);
    const std::string path = std::string(folder).append("/fifo");
    pipe_ends ends;
    if (::mkfifo(path.c_str(), 0600) == 0) {
      ends.from = descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
      ends.to = descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    }
    const int error = errno;
    ::unlink(path.c_str());
    ::rmdir(folder.c_str());
    if (!ends.from || !ends.to) throw std::system_error(error, std::generic_category(), path);
    return ends;
  }
};

// The near end has started a child; the far end takes over the child's input and output, and the child goes.
class process_fixture final : public descriptor_fixture {
 public:
  void connect(protocol_ptr near, protocol_ptr far) override {
    pipe_ends gate = make_pipe();
    pipe_ends ready = make_pipe();
    process::options wanted;
    wanted.program = "sh";
    wanted.arguments = {"-c", "exec 5<&0 6>&1 <&3; echo >&4; read line"};  // a shell moves 0 and 1 around: the copies stay
    wanted.pass = {{gate.from.get(), 3}, {ready.to.get(), 4}};
    process::open(scheduler(), wanted, std::move(near));
    ready.to.close();
    wait_for_end_or_byte(ready.from);
    const auto child = of_the_last<process::child_state>();
    pipe_ends ends = take_over(child ? child->pid : 0);
    gate.to.close();
    if (child) wait_until_gone(child->pid);
    made(pipe::open(scheduler(), std::move(ends.from), std::move(ends.to), std::move(far)));
  }

 private:
  static void wait_for_end_or_byte(const descriptor& from) {
    char byte = 0;
    if (::read(from.get(), &byte, 1) < 0) throw std::system_error(errno, std::generic_category(), "read");
  }

  // If the near end has killed the child already: ends of pipes whose other ends are closed.
  static pipe_ends take_over(int pid) {
    const std::string folder = "/proc/" + std::to_string(pid) + "/fd/";
    pipe_ends ends{descriptor(::open(std::string(folder).append("5").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)),
                   descriptor(::open(std::string(folder).append("6").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC))};
    if (!ends.from || !ends.to) ends = {make_pipe().from, make_pipe().to};
    return ends;
  }

  // With what it had open; the loop has still to reap it.
  static void wait_until_gone(int pid) {
    siginfo_t how{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOWAIT) != 0)
      if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitid");
  }
};

}  // namespace

transport_under_test over_pty() {
  return {"pty", {.half_close = false, .reset = false}, [] { return std::make_unique<pty_fixture>(); }};
}

transport_under_test over_pipe() {
  return {"pipe", {.reset = false, .hangup = true}, [] { return std::make_unique<pipe_fixture>(); }};
}

transport_under_test over_fifo() {
  return {"fifo", {.reset = false, .hangup = true}, [] { return std::make_unique<fifo_fixture>(); }};
}

transport_under_test over_process() {
  return {"process", {.reset = false, .hangup = true}, [] { return std::make_unique<process_fixture>(); }};
}

}  // namespace sluice::testing
