#include <sluice/shutdown.hpp>

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/timer.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::lost_line;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

struct site {
  site() {
    scheduler.on_error([this](const error_event& event) { reports.push_back(describe(event)); });
  }
  memory::connection connect(recording_protocol& first, recording_protocol& second, const memory::options& settings = {}) {
    return memory::pair(scheduler, borrow(first), borrow(second), settings);
  }
  void shut_down(duration deadline) {
    shutdown(scheduler, deadline, [this](const shutdown_report& how) { report = how; });
  }

  std::vector<std::string> reports;
  std::optional<shutdown_report> report;
  manual_scheduler scheduler;
};

}  // namespace

TEST_CASE("L18 a shutdown with nothing open is over in the next turn") {
  site here;
  here.shut_down(1s);
  CHECK_FALSE(here.report);
  here.scheduler.run_until_idle();
  REQUIRE(here.report);
  CHECK(here.report->asked == 0);
  CHECK(here.report->aborted.empty());
  CHECK(here.scheduler.next_timer() == time_point::max());
}

TEST_CASE("L18 L17 each protocol is asked, and what it does by default is an orderly end") {
  site here;
  recording_protocol first, second;
  const auto made = here.connect(first, second);
  made.first.write("last words");
  here.shut_down(10s);
  here.scheduler.run_until_idle();
  here.scheduler.advance(1s);  // what lingers
  REQUIRE(here.report);
  CHECK(here.report->asked == 2);
  CHECK(here.report->aborted.empty());
  CHECK(first.events().back() == lost_line({}));
  CHECK(second.events().back() == lost_line({}));
  CHECK(here.reports.empty());
  CHECK(here.scheduler.now() < time_point(10s));
}

TEST_CASE("L18 what is open at the deadline is cut off, named and counted, once") {
  site here;
  recording_protocol first, second;
  first.on_shutting_down = [] { return shutdown_action::handled; };
  second.on_shutting_down = first.on_shutting_down;
  const auto made = here.connect(first, second);
  const std::uint64_t id = made.first.id();
  here.shut_down(10s);
  here.scheduler.advance(9999ms);
  CHECK_FALSE(here.report);
  here.scheduler.advance(1ms);
  REQUIRE(here.report);
  CHECK(here.report->aborted == std::vector<std::uint64_t>{id, id + 1});
  CHECK(first.events().back() == lost_line(errc::timed_out));
  CHECK(second.events().back() == lost_line(errc::timed_out));
  REQUIRE(here.reports.size() == 1);
  CHECK(here.reports[0] == "sluice: shutdown: aborted at the deadline: 1 (memory) 2 (memory): a deadline passed");
}

TEST_CASE("L18 a peer that never reads does not put off the end") {
  site here;
  recording_protocol first, second;
  const auto made = here.connect(first, second);
  made.second.pause_reading();
  second.on_shutting_down = [] { return shutdown_action::handled; };
  made.first.write(std::string(1'000'000, 'x'));
  here.shut_down(2s);
  here.scheduler.advance(2s);
  REQUIRE(here.report);
  CHECK(here.scheduler.open_transports() == 0);
}

TEST_CASE("L18 a connection that is made meanwhile is asked, too") {
  site here;
  recording_protocol first, second, third, fourth;
  first.on_shutting_down = second.on_shutting_down = [] { return shutdown_action::handled; };
  const auto made = here.connect(first, second);
  here.shut_down(10s);
  here.scheduler.run_until_idle();
  here.connect(third, fourth);
  here.scheduler.run_until_idle();
  CHECK(third.count("shutting down") == 1);
  CHECK(third.events().back() == lost_line({}));
  made.first.close();
  here.scheduler.advance(1s);
  CHECK(here.report);
}

TEST_CASE("L18 a second shutdown brings the deadline forward, and both handlers are told") {
  site here;
  recording_protocol first, second;
  first.on_shutting_down = second.on_shutting_down = [] { return shutdown_action::handled; };
  here.connect(first, second);
  int told = 0;
  const auto count = [&](const shutdown_report&) { ++told; };
  shutdown(here.scheduler, 10s, count);
  shutdown(here.scheduler, 20s, count);
  shutdown(here.scheduler, 3s, count);
  here.scheduler.advance(2999ms);
  CHECK(told == 0);
  here.scheduler.advance(1ms);
  CHECK(told == 3);
}

TEST_CASE("L18 a layer is asked through, and goes with its transport") {
  site here;
  recording_protocol first, second;
  first.on_shutting_down = [] { return shutdown_action::handled; };
  second.on_eof = [] { return eof::keep_open; };
  second.on_shutting_down = first.on_shutting_down;
  memory::pair(here.scheduler, std::make_unique<layer>(here.scheduler, borrow(first)), borrow(second));
  here.shut_down(1s);
  here.scheduler.run_until_idle();
  CHECK(first.count("shutting down") == 1);
  here.scheduler.advance(1s);
  REQUIRE(here.report);
  CHECK(here.report->asked == 3);
  CHECK(here.report->aborted.size() == 3);
  CHECK(first.events().back() == lost_line(errc::timed_out));
}

TEST_CASE("L18 a shutdown can be begun in any callback, and its handler may throw") {
  site here;
  recording_protocol first, second;
  const auto made = here.connect(first, second);
  second.on_data = [&](const_bytes) {
    shutdown(here.scheduler, 1s, [](const shutdown_report&) { throw std::runtime_error("told"); });
    here.shut_down(1s);
  };
  made.first.write("stop");
  here.scheduler.advance(2s);
  CHECK(here.report);
  REQUIRE(here.reports.size() == 1);
  CHECK(here.reports[0] == "sluice: scheduled function: shutdown handler: told");
}

TEST_CASE("L18 a scheduler that ends during its shutdown tells nobody") {
  recording_protocol first, second;
  bool told = false;
  {
    site here;
    first.on_shutting_down = second.on_shutting_down = [] { return shutdown_action::handled; };
    here.connect(first, second);
    shutdown(here.scheduler, 1h, [&](const shutdown_report&) { told = true; });
    here.scheduler.run_until_idle();
  }
  CHECK_FALSE(told);
  CHECK(first.events().back() == lost_line(errc::aborted));
}
