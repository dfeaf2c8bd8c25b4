// Runs a command, passes on what it prints, and tells how it ended: run_child [--deadline SECONDS] [--grace SECONDS] PROGRAM [ARGUMENT…]
// A child that is not done at the deadline gets SIGTERM, and SIGKILL after the grace. Ends as timeout(1) does: with the child's exit code,
// 128 + the number of the signal that ended it, 124 at the deadline, or 127 if it cannot be started.

#include <sluice/loop.hpp>
#include <sluice/process.hpp>
#include <sluice/timer.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace sluice;

struct limits {
  double deadline = 0;
  double grace = 2;
};

class watched_child final : public process_protocol {
 public:
  watched_child(loop& owner, const limits& given, int& result)
      : loop_(owner), given_(given), result_(result), timer_(owner, [this] { time_is_up(); }) {}

  void connection_made(process_transport& process) override {
    process_ = &process;
    for (const int signal : passed_on) loop_.on_signal(signal, [this, signal] { process_->send_signal(signal); });
    if (given_.deadline > 0) start(given_.deadline);
  }

  void pipe_data_received(int pipe, const_bytes data) override {
    received_[pipe == 2] += data.size();
    std::fwrite(data.data(), 1, data.size(), pipe == 2 ? stderr : stdout);
    std::fflush(stdout);
  }

  void process_exited(const process::exit_status& status) override {
    timer_.stop();
    result_ = is_late_ ? 124 : status.signal != 0 ? 128 + status.signal : status.code;
    std::fprintf(stderr, "run_child: %s%s\n", process::to_string(status).c_str(), is_late_ ? ", at the deadline" : "");
  }

  // Follows what the child printed before it ended, and what is left of its own children may print.
  void connection_lost(std::error_code) override {
    for (const int signal : passed_on) loop_.remove_signal(signal);
    std::fprintf(stderr, "run_child: %zu bytes of output, %zu of errors\n", received_[0], received_[1]);
  }

 private:
  static constexpr int passed_on[] = {SIGINT, SIGTERM};

  void start(double seconds) { timer_.start(std::chrono::milliseconds(static_cast<long>(seconds * 1000))); }

  void time_is_up() {
    if (is_late_) {
      process_->kill();
      return;
    }
    is_late_ = true;
    process_->terminate();
    start(given_.grace);
  }

  loop& loop_;
  const limits& given_;
  int& result_;
  timer timer_;
  process_transport* process_ = nullptr;
  std::size_t received_[2] = {0, 0};
  bool is_late_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  limits given;
  process::options wanted{.program = "", .input = process::stream::null, .error = process::stream::pipe};
  CLI::App app("Runs a command and tells how it ended.");
  const CLI::Range seconds(0.0, 1e6);
  app.add_option("--deadline", given.deadline, "seconds until the command is ended; 0: never")->check(seconds)->capture_default_str();
  app.add_option("--grace", given.grace, "seconds from SIGTERM to SIGKILL")->check(seconds)->capture_default_str();
  app.add_option("PROGRAM", wanted.program, "a path, or a name that is looked up in PATH")->required();
  app.prefix_command();  // what follows PROGRAM is its own
  CLI11_PARSE(app, argc, argv);
  wanted.arguments = app.remaining();
  try {
    int result = 1;
    sluice::loop loop;
    const auto started = process::spawn(loop, wanted, [&] { return std::make_unique<watched_child>(loop, given, result); });
    if (!started) {
      std::fprintf(stderr, "run_child: %s\n", started.detail().c_str());
      return 127;
    }
    loop.run();
    return result;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "run_child: %s\n", error.what());
    return 2;
  }
}
