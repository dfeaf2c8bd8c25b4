#include <sluice/process.hpp>

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>
#include <sluice/shutdown.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using process::exit_status;

namespace {

// Writes down what happens, and what came from each pipe.
struct record {
  std::vector<std::string> events;
  std::string text[3];
  process_transport* transport = nullptr;
  std::function<void(process_transport&)> on_made;
  std::function<void()> on_data, on_exit, on_pause;
  std::error_code reason;
  bool lost = false;

  std::string trace() const {
    std::string all;
    for (const std::string& each : events) all += (all.empty() ? "" : ", ") + each;
    return all;
  }
  bool has(const std::string& event) const { return std::find(events.begin(), events.end(), event) != events.end(); }
};

class recorder final : public process_protocol {
 public:
  explicit recorder(record& into) : into_(into) {}

  void connection_made(process_transport& made) override {
    into_.events.emplace_back("made");
    into_.transport = &made;
    if (into_.on_made) into_.on_made(made);
  }
  void pipe_data_received(int pipe, const_bytes data) override {
    CHECK(into_.has("made"));
    into_.text[pipe] += as_text(data);
    if (into_.on_data) into_.on_data();
  }
  void pipe_connection_lost(int pipe, std::error_code reason) override {
    into_.events.push_back("pipe " + std::to_string(pipe) + (reason ? ' ' + std::to_string(reason.value()) : ""));
  }
  void pause_writing() override {
    into_.events.emplace_back("pause");
    if (into_.on_pause) into_.on_pause();
  }
  void resume_writing() override { into_.events.emplace_back("resume"); }
  void process_exited(const exit_status& status) override {
    into_.events.push_back(to_string(status));
    if (into_.on_exit) into_.on_exit();
  }
  void connection_lost(std::error_code reason) override {
    CHECK_FALSE(into_.lost);
    into_.lost = true;
    into_.reason = reason;
    into_.transport = nullptr;
    into_.events.emplace_back("lost");
  }

 private:
  record& into_;
};

struct site {
  site() {
    owner.on_error([this](const error_event& event) { reports += describe(event) + '\n'; });
  }
  result<process_transport&> spawn(const process::options& wanted) {
    return process::spawn(owner, wanted, [this] { return std::make_unique<recorder>(seen); });
  }
  void start(const process::options& wanted) {
    const auto outcome = spawn(wanted);
    REQUIRE_MESSAGE(outcome, outcome.detail());
  }
  void start_shell(const std::string& script) { start({.program = "sh", .arguments = {"-c", script}}); }
  bool run_to_the_end() {
    return run_until(owner, [&] { return seen.lost && owner.open_transports() == 0; });
  }

  record seen;
  std::string reports;
  loop owner;
};

bool is_gone(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) < 0 && errno == ECHILD; }

}  // namespace

TEST_CASE("U1 made, then what the pipes and the child do, then one connection_lost when all of them have ended") {
  const descriptor_balance balance;
  site here;
  here.start({.program = "sh", .arguments = {"-c", "cat; echo wrong >&2; exit 3"}, .error = process::stream::pipe});
  const pid_t child = here.seen.transport->pid();
  here.seen.transport->pipe(0)->write("through and back");
  here.seen.transport->pipe(0)->write_eof();
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "through and back");
  CHECK(here.seen.text[2] == "wrong\n");
  CHECK(here.seen.events.front() == "made");
  CHECK(here.seen.events.back() == "lost");
  for (const char* event : {"pipe 0", "pipe 1", "pipe 2", "exit code 3"}) CHECK_MESSAGE(here.seen.has(event), here.seen.trace());
  CHECK(here.seen.events.size() == 6);
  CHECK_FALSE(here.seen.reason);
  CHECK(is_gone(child));
  CHECK(here.reports.empty());
}

TEST_CASE("U2 nothing is told before connection_made, however fast the child ends") {
  for (int i = 0; i < 20; ++i) {
    site here;
    here.seen.on_made = [](process_transport& made) {
      siginfo_t told{};
      while (::waitid(P_PID, static_cast<id_t>(made.pid()), &told, WEXITED | WNOWAIT) != 0 && errno == EINTR) continue;
    };
    here.start_shell("echo early");
    CHECK(here.seen.trace() == "made");
    CHECK(here.run_to_the_end());
    CHECK(here.seen.text[1] == "early\n");
  }
}

TEST_CASE("U3 close kills a child that runs, and may be called twice") {
  const descriptor_balance balance;
  site here;
  here.start_shell("trap '' TERM; echo ready; while :; do sleep 10; done");
  CHECK(run_until(here.owner, [&] { return here.seen.text[1] == "ready\n"; }));
  const pid_t child = here.seen.transport->pid();
  CHECK_FALSE(here.seen.transport->terminate());
  here.seen.transport->close();
  here.seen.transport->close();
  CHECK(here.seen.transport->is_closing());
  CHECK_FALSE(here.seen.lost);
  CHECK(here.run_to_the_end());
  CHECK(here.seen.has("signal 9"));
  CHECK_FALSE(here.seen.reason);
  CHECK(is_gone(child));
}

TEST_CASE("U3 a signal reaches a child that runs, and is no such process once it is reaped") {
  site here;
  here.start({.program = "cat"});
  here.seen.on_exit = [&] {
    CHECK(here.seen.transport->send_signal(SIGTERM) == std::errc::no_such_process);
    CHECK(here.seen.transport->kill() == std::errc::no_such_process);
    CHECK(here.seen.transport->status()->signal == SIGTERM);
    here.seen.transport->close();
  };
  CHECK_FALSE(here.seen.transport->status());
  CHECK(here.seen.transport->send_signal(12345) == std::errc::invalid_argument);
  CHECK_FALSE(here.seen.transport->terminate());
  CHECK(here.run_to_the_end());
  CHECK(here.seen.has("signal 15"));
}

TEST_CASE("U4 what the child does not read piles up, pauses and resumes, and nothing is lost") {
  site here;
  here.start_shell("read line; cat");
  std::string sent = "go\n" + numbered(400'000);
  here.seen.transport->pipe(0)->write(std::string_view(sent).substr(3));
  CHECK(here.seen.trace() == "made, pause");
  here.seen.transport->kill();
  CHECK(here.run_to_the_end());

  site there;
  there.start({.program = "cat"});
  there.seen.transport->pipe(0)->write(sent);
  there.seen.transport->pipe(0)->write_eof();
  CHECK(there.run_to_the_end());
  CHECK(there.seen.text[1] == sent);
}

TEST_CASE("U4 a child that does not take what was written is pipe_connection_lost, and the child goes on") {
  site here;
  here.start_shell("exec <&-; echo closed; read x < /dev/null; sleep 0.05; echo end");
  here.seen.transport->pipe(0)->write(std::string(300'000, 'x'));
  CHECK(here.run_to_the_end());
  CHECK(here.seen.has("pipe 0 32"));
  CHECK(here.seen.has("exit code 0"));
  CHECK(here.seen.text[1] == "closed\nend\n");
  CHECK_FALSE(here.seen.reason);
}

TEST_CASE("U5 what cannot be run is an error with the system's reason, and leaves nothing behind") {
  const descriptor_balance balance;
  site here;
  const auto missing = here.spawn({.program = "/no/such/program"});
  CHECK(missing.error() == std::errc::no_such_file_or_directory);
  CHECK(missing.detail().find("\"/no/such/program\": running it") != std::string::npos);
  CHECK(here.spawn({.program = "no-such-program-anywhere"}).error() == std::errc::no_such_file_or_directory);
  CHECK(here.spawn({.program = "/"}).error() == std::errc::permission_denied);
  CHECK(here.spawn({.program = "/dev/null/program"}).error() == std::errc::not_a_directory);
  const auto folder = here.spawn({.program = "true", .working_directory = "/no/such/folder"});
  CHECK(folder.error() == std::errc::no_such_file_or_directory);
  CHECK(folder.detail().find("changing to its folder") != std::string::npos);
  CHECK(here.spawn({.program = ""}).detail().find("no program") != std::string::npos);
  CHECK(here.spawn({.program = "true", .output = process::stream::merge}).error() == std::errc::invalid_argument);
  CHECK(here.spawn({.program = "true", .pass = {{0, 1}}}).error() == std::errc::invalid_argument);
  CHECK(here.spawn({.program = "true", .pass = {{1'000'000, 3}}}).error() == std::errc::bad_file_descriptor);
  CHECK(here.seen.events.empty());
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
}

TEST_CASE("U5 a factory that fails starts nothing, and a connection_made that throws kills the child") {
  const descriptor_balance balance;
  site here;
  CHECK(process::spawn(here.owner, {.program = "cat"}, [] { return nullptr; }).error() == errc::factory_failed);
  CHECK(here.reports.find("factory") != std::string::npos);
  here.seen.on_made = [](process_transport&) { throw std::runtime_error("planted"); };
  CHECK(here.spawn({.program = "cat"}).error() == errc::protocol_threw);
  CHECK(here.run_to_the_end());
  CHECK(here.seen.reason == errc::protocol_threw);
  CHECK(here.seen.has("signal 9"));
}

TEST_CASE("X5 what a callback of a process throws is reported and ends it") {
  site here;
  here.seen.on_data = [] { throw std::runtime_error("planted"); };
  here.start_shell("echo x; exec sleep 100");
  CHECK(here.run_to_the_end());
  CHECK(here.reports.find("planted") != std::string::npos);
  CHECK(here.seen.reason == errc::protocol_threw);
}

TEST_CASE("U5 the child has its folder, its variables, and a session of its own if it is to have one") {
  site here;
  const temporary_folder folder;
  ::setenv("SLUICE_TEST_OLD", "old", 1);
  here.start({.program = "sh",
              .arguments = {"-c", "pwd; echo $SLUICE_TEST_OLD $SLUICE_TEST_NEW; cut -d ' ' -f 1,6 /proc/self/stat; echo $$"},
              .working_directory = folder / ".",
              .environment = {{"SLUICE_TEST_NEW", "new"}},
              .new_session = true});
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1].find(folder.name() + "\nold new\n") != std::string::npos);
  const std::string pid = here.seen.text[1].substr(here.seen.text[1].rfind('\n', here.seen.text[1].size() - 2) + 1);
  CHECK(here.seen.text[1].find(' ' + pid + pid) != std::string::npos);  // its session has its number

  site there;
  there.start({.program = "/usr/bin/env", .environment = {{"ONLY", "this"}}, .inherit_environment = false});
  CHECK(there.run_to_the_end());
  CHECK(there.seen.text[1] == "ONLY=this\n");
}

TEST_CASE("U5 a program is looked for in the child's own PATH, whatever is wrong with some of its places") {
  site here;
  const std::string path = "/dev/null:/" + std::string(5000, 'a') + ":/no/such/place:/usr/bin:/bin";
  here.start({.program = "true", .environment = {{"PATH", path}}});
  CHECK(here.run_to_the_end());
  CHECK(here.spawn({.program = "true", .environment = {{"PATH", "/dev"}}}).error() == std::errc::no_such_file_or_directory);
}

TEST_CASE("U5 no descriptor reaches the child but those that are passed") {
  site here;
  const descriptor leaky(::open("/dev/null", O_RDWR));  // without close-on-exec
  const descriptor passed(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  here.start({.program = "sh", .arguments = {"-c", "ls -l /proc/self/fd | wc -l; readlink /proc/self/fd/7"}, .pass = {{passed.get(), 7}}});
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "6\n/dev/zero\n");  // "total", 0, 1, 2, 7, and the folder that ls reads
}

TEST_CASE("U5 a child runs as another user where that is allowed") {
  site here;
  if (::geteuid() != 0) {
    CHECK(here.spawn({.program = "true", .user = ::geteuid() + 1}).error() == std::errc::operation_not_permitted);
    return;
  }
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  here.start({.program = "sh", .arguments = {"-c", "id -u; id -g; id -G"}, .user = 12345, .group = 23456});
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "12345\n23456\n23456\n");
  CHECK(::prctl(PR_GET_DUMPABLE) == dumpable);
}

TEST_CASE("U6 output that waits when the child has gone is still delivered") {
  site here;
  here.start_shell("yes | head -c 50000");
  here.seen.transport->pipe(1)->pause_reading();
  CHECK(run_until(here.owner, [&] { return here.seen.has("exit code 0"); }));
  CHECK(here.seen.text[1].empty());
  CHECK_FALSE(here.seen.lost);
  here.seen.transport->pipe(1)->resume_reading();
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1].size() == 50'000);
}

TEST_CASE("U6 output of a grandchild that outlives the child is delivered, and close does not wait for it") {
  const descriptor_balance balance;
  for (const bool closed : {false, true}) {
    site here;
    here.start_shell("(sleep 0.2; echo late) & echo soon");
    CHECK(run_until(here.owner, [&] { return here.seen.has("exit code 0") && here.seen.text[1] == "soon\n"; }));
    CHECK_FALSE(here.seen.lost);
    if (closed) here.seen.transport->close();
    CHECK(here.run_to_the_end());
    CHECK(here.seen.text[1] == (closed ? "soon\n" : "soon\nlate\n"));
  }
}

TEST_CASE("G2 a child starts with SIGPIPE and all other signals at their defaults and none blocked") {
  site here;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  here.start_shell("grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '0\\t\\n'; yes | head -n 1");
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "SigBlk:SigIgn:y\n");
}

TEST_CASE("P4 a child on a terminal of its own has its size, is controlled by it, and its end is the end of the pipe") {
  const descriptor_balance balance;
  site here;
  here.start(
      {.program = "sh",
       .arguments = {"-c", "stty -echo; test -t 0 && test -t 1 && test -t 2 && stty size; read line; echo got $line; echo x > /dev/tty"},
       .terminal = process::terminal_size{40, 132}});
  CHECK(run_until(here.owner, [&] { return here.seen.text[1] == "40 132\r\n"; }));
  CHECK_FALSE(here.seen.transport->set_terminal_size(50, 60));
  here.seen.transport->pipe(0)->write("this\n");
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "40 132\r\ngot this\r\nx\r\n");
  CHECK_FALSE(here.seen.reason);
}

TEST_CASE("streams of the child are null, inherited or merged") {
  site here;
  here.start({.program = "sh",
              .arguments = {"-c", "cat; echo out; echo err >&2"},
              .input = process::stream::null,
              .error = process::stream::merge});
  CHECK(here.seen.transport->pipe(0) == nullptr);
  CHECK(here.seen.transport->pipe(2) == nullptr);
  CHECK(here.seen.transport->pipe(7) == nullptr);
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "out\nerr\n");

  site there;
  there.start({.program = "false", .input = process::stream::inherit, .output = process::stream::inherit});
  CHECK(there.run_to_the_end());
  CHECK(there.seen.trace() == "made, exit code 1, lost");
}

TEST_CASE("L14 the end of the loop kills children, reaps them and tells their protocols") {
  const descriptor_balance balance;
  record seen;
  pid_t child = 0;
  {
    loop owner;
    owner.on_error([](const error_event&) {});
    const auto made = process::spawn(owner, {.program = "cat"}, [&] { return std::make_unique<recorder>(seen); });
    REQUIRE(made);
    child = made->pid();
  }
  CHECK(seen.lost);
  CHECK(seen.reason == errc::aborted);
  CHECK(is_gone(child));
}

TEST_CASE("a shutdown ends children in order") {
  site here;
  here.start_shell("trap 'echo ending; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
  CHECK(run_until(here.owner, [&] { return here.seen.text[1] == "ready\n"; }));
  shutdown(here.owner, 20s);
  CHECK(here.run_to_the_end());
  CHECK(here.seen.text[1] == "ready\nending\n");
  CHECK(here.seen.has("exit code 7"));
}

TEST_CASE("a loop runs for a child without pipes, and many children at once are all reaped") {
  const descriptor_balance balance;
  loop owner;
  std::vector<record> all(30);
  for (record& each : all)
    REQUIRE(process::spawn(owner,
                           {.program = "sleep", .arguments = {"0.02"}, .input = process::stream::null, .output = process::stream::null},
                           [&] { return std::make_unique<recorder>(each); }));
  owner.run();
  for (const record& each : all) CHECK(each.trace() == "made, exit code 0, lost");
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
}
