#include <sluice/error.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "../socket_kit.hpp"
#include "serial/system_line.hpp"
#include "terminal_kit.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using serial::system_line;

// The timer of an adapter, on a system whose description of the device is the test's own.

namespace {

namespace fs = std::filesystem;

struct adapter {
  adapter() {
    struct stat file {};
    REQUIRE(::stat(far.path().c_str(), &file) == 0);
    device = fs::path(sys / "dev/char") / (std::to_string(major(file.st_rdev)) + ":" + std::to_string(minor(file.st_rdev))) / "device";
    fs::create_directories(device);
  }
  fs::path timer() const { return device / "latency_timer"; }
  void set(const std::string& text) const { std::ofstream(timer()) << text << '\n'; }
  std::string text() const {
    std::string line;
    std::ifstream file(timer());
    std::getline(file, line);
    return line;
  }
  serial::opened open(bool low_latency) const {
    serial::open_settings wanted;
    wanted.low_latency = low_latency;
    const auto line = system_line::open(far.path(), wanted, {.sys = sys / "", .locks = {}});
    REQUIRE_MESSAGE(line, line.detail());
    return line->found();
  }

  socket_kit::temporary_folder sys;
  terminal_kit::far_end far;
  fs::path device;
};

}  // namespace

TEST_CASE("SL9 the time that an adapter collects bytes for is told, and left alone") {
  const adapter at;
  at.set("16");
  CHECK(at.open(false).latency_timer == 16ms);
  CHECK(at.text() == "16");
}

TEST_CASE("SL9 low latency makes it 1 ms, and is on then, whatever the driver said") {
  const adapter at;
  for (const char* before : {"16", "2", "1"}) {
    at.set(before);
    const serial::opened found = at.open(true);
    CHECK(found.latency_timer == 1ms);
    CHECK_FALSE(found.low_latency);
    CHECK(at.text() == "1");
  }
}

TEST_CASE("SL9 a timer that cannot be set is an outcome, and no error of opening") {
  const adapter at;
  fs::create_symlink("/proc/sys/kernel/ngroups_max", at.timer());  // a number that nobody may write
  const serial::opened found = at.open(true);
  CHECK(found.latency_timer > 1ms);
  CHECK(found.low_latency);
}

TEST_CASE("SL9 a device without a timer has the driver's answer alone") {
  const adapter at;
  const serial::opened found = at.open(true);
  CHECK_FALSE(found.latency_timer);
  CHECK(found.low_latency == std::errc::inappropriate_io_control_operation);  // a pseudo-terminal knows nothing of it
  CHECK_FALSE(at.open(false).low_latency);
  at.set("many");
  CHECK_FALSE(at.open(true).latency_timer);
}
