#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sluice/loop.hpp>
#include <sluice/pipe.hpp>
#include <sluice/serial.hpp>
#include <sluice/testing/transport_conformance.hpp>

#include "loop_driver.hpp"

namespace sluice::testing {
namespace {

void require(bool works, const char* call) {
  if (!works) throw std::system_error(errno, std::generic_category(), call);
}

struct terminal {
  terminal() : master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    require(master.is_open() && ::grantpt(master.get()) == 0 && ::unlockpt(master.get()) == 0, "posix_openpt");
    std::array<char, 128> name{};
    require(::ptsname_r(master.get(), name.data(), name.size()) == 0, "ptsname_r");
    path = name.data();
  }

  descriptor master;
  std::string path;
};

// The near end has opened a line; the far end is a pseudo-terminal's master, which is there once the line is.
class serial_fixture final : public transport_fixture {
 public:
  sluice::loop& scheduler() override { return driver_.loop(); }
  bool run_until(const std::function<bool()>& done) override { return driver_.run_until(done); }

  void connect(protocol_ptr near, protocol_ptr far) override {
    auto line = std::make_shared<terminal>();
    auto give = [given = std::make_shared<protocol_ptr>(std::move(near))] { return std::move(*given); };
    auto open_far = [this, line, given = std::make_shared<protocol_ptr>(std::move(far))](const result<transport&>& outcome) {
      completion_ = outcome.error();
      pipe::open(scheduler(), std::move(line->master), std::move(*given));
    };
    serial::options settings;
    settings.write_time = std::chrono::milliseconds(0);  // the marks that every transport has
    settings.close_timeout = stream_options().close_timeout;
    attempts_.push_back(serial::open(scheduler(), line->path, std::move(give), std::move(open_far), settings));
  }
  std::optional<std::error_code> completion() const override { return completion_; }

 private:
  loop_driver driver_;
  std::vector<connecting> attempts_;
  std::optional<std::error_code> completion_;
};

// The near end has opened a terminal as a stream, the far end is its master.
class terminal_fixture final : public transport_fixture {
 public:
  sluice::loop& scheduler() override { return driver_.loop(); }
  bool run_until(const std::function<bool()>& done) override { return driver_.run_until(done); }

  void connect(protocol_ptr near, protocol_ptr far) override {
    terminal line;
    descriptor opened(::open(line.path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios settings{};
    require(opened.is_open() && ::tcgetattr(opened.get(), &settings) == 0, "tcgetattr");
    ::cfmakeraw(&settings);
    require(::tcsetattr(opened.get(), TCSANOW, &settings) == 0, "tcsetattr");
    pipe::open(scheduler(), std::move(opened), std::move(near));
    pipe::open(scheduler(), std::move(line.master), std::move(far));
  }

 private:
  loop_driver driver_;
};

}  // namespace

transport_under_test over_terminal() {
  return {"terminal", {.half_close = false, .reset = false, .end_of_input = false}, [] { return std::make_unique<terminal_fixture>(); }};
}

transport_under_test over_serial() {
  return {"serial", {.half_close = false, .reset = false, .end_of_input = false, .completion = true}, [] {
            return std::make_unique<serial_fixture>();
          }};
}

}  // namespace sluice::testing
