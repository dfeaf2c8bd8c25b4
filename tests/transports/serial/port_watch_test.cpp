#include <sluice/serial/port_watch.hpp>

#include <sluice/timer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fake_system.hpp"

using namespace sluice;
using namespace sluice::serial;
using namespace std::chrono_literals;
using lines = std::vector<std::string>;

namespace {

// A machine with a watch on it, and what it told.
struct bench {
  explicit bench(bool notify = true) : options{machine.folders(), 2ms, notify} {}

  void start() {
    watch.emplace(
        loop, [this](const port_event& event) { hear(event); }, options);
  }

  void hear(const port_event& event) {
    constexpr const char* words[] = {"added ", "removed ", "changed "};
    told.push_back(words[static_cast<int>(event.what)] + event.port.path.substr(event.port.path.rfind('/') + 1));
    if (told.size() >= wanted) loop.stop();
  }

  // Runs until so many events were told in all.
  void wait(std::size_t count) {
    wanted = count;
    timer late(loop, [this] { loop.stop(); });
    late.start(20s);
    if (told.size() < count) loop.run();
  }

  void look(std::uint64_t times) {
    timer again(loop, [&] {
      if (watch->looks() >= times) return loop.stop();
      again.start(1ms);
    });
    again.start(0ms);
    loop.run();
  }

  void plug(const std::string& name) {
    machine.usb("1-1", "0403", "6001", "A1");
    machine.adapter("1-1", 0, name, "ftdi_sio");
  }

  fake_system machine;
  sluice::loop loop;
  port_watch_options options;
  lines told;
  std::size_t wanted = 1;
  std::optional<port_watch> watch;
};

}  // namespace

TEST_CASE("Z10 ports that come and go are told, those at the beginning as well") {
  for (const bool notify : {true, false}) {
    CAPTURE(notify);
    bench at(notify);
    at.plug("ttyUSB0");
    at.start();
    at.wait(1);
    CHECK(at.watch->is_notified() == notify);
    CHECK(at.watch->ports().size() == 1);
    at.plug("ttyUSB1");
    at.wait(2);
    at.machine.remove("ttyUSB0");
    at.wait(3);
    CHECK(at.told == lines{"added ttyUSB0", "added ttyUSB1", "removed ttyUSB0"});
    CHECK(at.watch->ports().size() == 1);
    CHECK(!at.watch->error());
  }
}

TEST_CASE("Z10 a link that udev makes later is told as a change, also the first one of all") {
  bench at;
  at.plug("ttyUSB0");
  at.start();
  at.wait(1);
  at.machine.add_link("by-id", "usb-A1", "ttyUSB0");
  at.wait(2);
  at.machine.add_link("by-path", "pci-1", "ttyUSB0");
  at.wait(3);
  while (at.watch->ports()[0].by_id.empty() || at.watch->ports()[0].by_path.empty()) at.wait(at.told.size() + 1);
  CHECK(at.told[1] == "changed ttyUSB0");
  CHECK(at.watch->ports()[0].by_id == lines{at.machine.dev("serial/by-id/usb-A1")});
}

TEST_CASE("Z10 a watch on which nothing happens looks once") {
  bench at;
  at.plug("ttyUSB0");
  at.start();
  at.wait(1);
  const auto iterations = at.loop.counters().iterations;
  timer over(at.loop, [&] { at.loop.stop(); });
  over.start(60ms);
  at.loop.run();
  CHECK(at.watch->looks() == 1);
  CHECK(at.loop.counters().iterations - iterations < 10);
}

TEST_CASE("Z10 many changes at once are few looks") {
  bench at;
  at.start();
  at.look(1);
  for (int i = 0; i < 500; ++i) {
    at.machine.console("other");
    at.machine.remove_node("other");
  }
  at.plug("ttyUSB0");
  at.wait(1);
  CHECK(at.told == lines{"added ttyUSB0"});
  CHECK(at.watch->looks() < 50);
}

TEST_CASE("Z10 a look that fails is not a machine without ports") {
  bench at(false);
  at.plug("ttyUSB0");
  at.start();
  at.wait(1);
  at.machine.remove_class();
  at.look(at.watch->looks() + 2);
  CHECK(at.watch->error() == std::errc::no_such_file_or_directory);
  CHECK(at.watch->ports().size() == 1);
  CHECK(at.told == lines{"added ttyUSB0"});
}

TEST_CASE("Z10 without a folder of devices to listen in, it polls") {
  bench at;
  at.options.where.dev += "/none";
  at.start();
  at.look(3);
  CHECK(!at.watch->is_notified());
}

TEST_CASE("Z10 a watch may end in its own handler, and before or after its loop") {
  bench at;
  at.plug("ttyUSB0");
  at.plug("ttyUSB1");
  int calls = 0;
  at.watch.emplace(
      at.loop,
      [&](const port_event&) {
        ++calls;
        at.watch.reset();
      },
      at.options);
  at.loop.run();
  CHECK(calls == 1);

  std::optional<port_watch> survivor;
  {
    sluice::loop brief;
    survivor.emplace(
        brief, [](const port_event&) {}, at.options);
  }
  CHECK(survivor->ports().empty());
}

TEST_CASE("Z10 what a handler throws goes to the error hook, and the next change is told") {
  bench at;
  at.plug("ttyUSB0");
  at.plug("ttyUSB1");
  int calls = 0;
  lines reports;
  at.loop.on_error([&](const error_event& event) { reports.emplace_back(event.what); });
  at.watch.emplace(
      at.loop,
      [&](const port_event&) {
        if (++calls == 2) at.loop.stop();
        throw std::runtime_error("no");
      },
      at.options);
  at.loop.run();
  CHECK(reports == lines{"port_watch", "port_watch"});
}

TEST_CASE("a watch without a handler, or that would poll without a pause, is refused") {
  sluice::loop loop;
  CHECK_THROWS_AS(port_watch(loop, nullptr), std::invalid_argument);
  CHECK_THROWS_AS(port_watch(loop, [](const port_event&) {}, {.poll_interval = 0ms}), std::invalid_argument);
}
