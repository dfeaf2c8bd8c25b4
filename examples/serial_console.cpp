// Talks to a serial device: each line that is typed is sent, what comes back is printed. It waits for the device if it is not there, and again
// when it was unplugged. It ends with its input, once the last bit has left, or with Ctrl-C:
// serial_console 'serial:///dev/ttyUSB0?baud=9600&parity=even' --end cr

#include <sluice/reconnect.hpp>
#include <sluice/serial.hpp>
#include <sluice/serial/port_watch.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace {

struct settings {
  std::string endpoint;
  std::string end_of_line = "\r\n";
  bool once = false;
};

// One time that the line is open.
class printer final : public sluice::protocol {
  void connection_made(sluice::transport& transport) override {
    const auto line = transport.info<sluice::serial::settings>();
    std::fprintf(stderr, "open, %s\n", line ? to_string(*line).c_str() : "which is no serial line");
  }
  void data_received(sluice::const_bytes data) override {
    std::fwrite(data.data(), 1, data.size(), stdout);
    std::fflush(stdout);
  }
};

class console {
 public:
  explicit console(const settings& chosen)
      : chosen_(chosen),
        loop_(impatient()),
        line_(
            loop_, chosen_.endpoint, [] { return std::make_unique<printer>(); }, watched()) {}

  // True if it ended with its input, or was told to.
  bool run() {
    for (const int number : {SIGINT, SIGTERM}) loop_.on_signal(number, [this] { stop(); });
    if (!chosen_.once) ports_.emplace(loop_, [this](const sluice::serial::port_event& event) { look_again(event); });
    line_.start();
    loop_.run();
    return !failed_;
  }

 private:
  // Whoever waits for the next line at the end is not waited for.
  static sluice::loop_options impatient() {
    sluice::loop_options options;
    options.executor.join = std::chrono::milliseconds(0);
    return options;
  }

  sluice::reconnect_options watched() {
    sluice::reconnect_options how;
    if (chosen_.once) how.pacing.attempts = 1;
    how.on_event = [this](const sluice::reconnect_event& event) { tell(event); };
    return how;
  }

  // It may be ours that was plugged in: why wait for the end of the pause?
  void look_again(const sluice::serial::port_event& event) {
    if (event.what != sluice::serial::port_change::removed) line_.retry_now();
  }

  void tell(const sluice::reconnect_event& event) {
    if (event.error) std::fprintf(stderr, "%s%s\n", event.detail.c_str(), event.next ? "; waiting for it" : "");
    switch (event.what) {
      case sluice::reconnect_event::kind::connected:
        if (!reading_) read_line();
        break;
      case sluice::reconnect_event::kind::not_connected:
      case sluice::reconnect_event::kind::lost:
        failed_ = event.error && (!event.next || chosen_.once);
        if (!event.next || chosen_.once) stop();
        break;
    }
  }

  void read_line() {
    reading_ = loop_.run_in_thread(
        [] {
          std::string line;
          return std::getline(std::cin, line) ? std::optional(line) : std::nullopt;
        },
        [this](sluice::job_result<std::optional<std::string>> typed) {
          const auto line = typed.get();
          if (!line) return stop();
          send(*line + chosen_.end_of_line);
          read_line();
        });
  }

  void send(const std::string& text) {
    if (sluice::transport* const open = line_.connection())
      open->write(text);
    else
      std::fprintf(stderr, "not sent: the line is not open\n");
  }

  // What was written leaves first: an open line closes in good order, and then nothing is left to run for.
  void stop() {
    reading_.abandon();
    ports_.reset();
    line_.stop();
  }

  settings chosen_;
  sluice::loop loop_;
  sluice::reconnector line_;
  sluice::executor_job reading_;
  std::optional<sluice::serial::port_watch> ports_;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends what is typed to a serial device and prints what comes back.");
  settings chosen;
  const std::map<std::string, std::string> ends{{"cr", "\r"}, {"lf", "\n"}, {"crlf", "\r\n"}, {"none", ""}};
  app.add_option("ENDPOINT", chosen.endpoint, "the line: serial:///dev/ttyUSB0?baud=9600, serial:/dev/serial/by-id/…")->required();
  app.add_option("--end", chosen.end_of_line, "what ends each line that is sent: crlf, cr, lf or none")
      ->transform(CLI::CheckedTransformer(ends));
  app.add_flag("--once", chosen.once, "end when the line cannot be opened or is gone, instead of waiting for it");
  CLI11_PARSE(app, argc, argv);

  try {
    return console(chosen).run() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "serial_console: %s\n", error.what());
    return 2;
  }
}
