#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/testing/simulated_line.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "scripted_line.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

TEST_CASE("SL23 closing may take twice what the line needs for all that is left, the queue and the driver's part of it") {
  scripted_line line(with_baud(9600));
  line.script->room = 96;
  line.connection().write(std::string(9600, 'x'));  // ten seconds
  line.scheduler.run_until_idle();
  line.connection().close();
  line.scheduler.advance(19'900ms);
  CHECK_FALSE(line.end.is_lost());
  line.scheduler.advance(200ms);
  CHECK(line.end.lost_reason() == errc::timed_out);
}

TEST_CASE("SL23 a line with nothing left to send, or little, is given up after a second") {
  for (const std::string_view text : {"", "x"}) {
    scripted_line line(with_baud(300));
    line.script->transmitter_empty = false;
    line.connection().write(text);
    line.scheduler.run_until_idle();
    line.connection().close();
    line.scheduler.advance(990ms);
    CHECK_FALSE(line.end.is_lost());
    line.scheduler.advance(20ms);
    CHECK(line.end.lost_reason() == errc::timed_out);
  }
}

TEST_CASE("SL23 pauses between bytes count, and the speed at the time of closing does") {
  serial::options paced = with_baud(9600);
  paced.byte_pause = 9ms;
  scripted_line line(paced);
  line.script->room = 0;
  line.connection().write(std::string(1000, 'x'));  // ten seconds
  line.scheduler.run_until_idle();
  serial::settings fast;
  fast.baud = 96000;
  line.control().configure(fast, serial::apply::now);
  line.connection().close();
  line.scheduler.advance(18'100ms);
  CHECK_FALSE(line.end.is_lost());
  line.scheduler.advance(200ms);
  CHECK(line.end.lost_reason() == errc::timed_out);
}

TEST_CASE("SL23 SL17 a break in front of what is queued counts, the one that is being sent and those that wait") {
  scripted_line line(with_baud(9600));
  std::vector<std::error_code> ends;
  for (int i = 0; i < 2; ++i) line.control().send_break(3s, [&](std::error_code error) { ends.push_back(error); });
  line.connection().write("behind both");
  line.scheduler.advance(1s);
  CHECK(line.script->in_break);
  line.connection().close();
  line.scheduler.advance(5s);
  CHECK_FALSE(line.end.is_lost());
  CHECK(ends == std::vector<std::error_code>{{}, {}});
  CHECK(line.script->written == "behind both");
  line.script->empty();
  line.scheduler.advance(1s);
  CHECK(line.end.is_lost());
  CHECK(line.end.lost_reason() == std::error_code());
}

TEST_CASE("SL23 SL17 breaks put off the end of a line that takes nothing by twice what is left of them") {
  scripted_line line(with_baud(9600));
  line.script->room = 0;
  line.control().send_break(3s);
  line.connection().write("x");
  line.scheduler.advance(1s);
  line.connection().close();
  line.scheduler.advance(4s);
  CHECK_FALSE(line.end.is_lost());
  line.scheduler.advance(100ms);
  CHECK(line.end.lost_reason() == errc::timed_out);
}

TEST_CASE("SL23 a time for closing that the user chose is kept, whenever it was, also over new settings") {
  for (const bool at_first : {true, false}) {
    serial::options settings = with_baud(9600);
    if (at_first) settings.close_timeout = 50ms;
    scripted_line line(settings);
    if (!at_first) {
      stream_options changed = line.connection().options();
      changed.close_timeout = 50ms;
      line.connection().set_options(changed);
    }
    line.control().configure(with_baud(300).line, serial::apply::now);
    line.script->room = 0;
    line.connection().write(std::string(9600, 'x'));
    line.scheduler.run_until_idle();
    line.connection().close();
    line.scheduler.advance(49ms);
    CHECK_FALSE(line.end.is_lost());
    line.scheduler.advance(2ms);
    CHECK(line.end.lost_reason() == errc::timed_out);
  }
}

TEST_CASE("SL23 SL17 the other end of the line gets what was written behind a long break, in full") {
  recording_protocol near;
  recording_protocol far;
  manual_scheduler scheduler;
  sluice::testing::simulated_line cable(scheduler);
  sluice::testing::simulated_port& here = cable.add();
  sluice::testing::simulated_port& there = cable.add();
  const auto first = serial::open(
      scheduler, here.device(), [&] { return borrow(near); }, {}, with_baud(9600));
  const auto second = serial::open(
      scheduler, there.device(), [&] { return borrow(far); }, {}, with_baud(9600));
  scheduler.run_until_idle();
  near.connection()->write("before, ");
  serial::control(*near.connection()).send_break(20s);
  near.connection()->write("behind");
  near.connection()->close();
  scheduler.advance(21s);
  CHECK(near.is_lost());
  CHECK(near.lost_reason() == std::error_code());
  CHECK(far.received() == std::string("before, \0behind", 15));  // the break is heard as a zero
  far.connection()->abort();
  scheduler.run_until_idle();
}

TEST_CASE("SL23 what was queued above the high mark of a slow line leaves in full") {
  recording_protocol near;
  recording_protocol far;
  manual_scheduler scheduler;
  sluice::testing::simulated_line cable(scheduler);
  sluice::testing::simulated_port& here = cable.add();
  sluice::testing::simulated_port& there = cable.add();
  const auto first = serial::open(
      scheduler, here.device(), [&] { return borrow(near); }, {}, with_baud(9600));
  const auto second = serial::open(
      scheduler, there.device(), [&] { return borrow(far); }, {}, with_baud(9600));
  scheduler.run_until_idle();
  near.connection()->write(std::string(24'000, 'x'));  // 25 s, and the mark is one
  near.connection()->close();
  scheduler.advance(26s);
  CHECK(near.lost_reason() == std::error_code());
  CHECK(far.received().size() == 24'000);
  far.connection()->abort();
  scheduler.run_until_idle();
  CHECK(scheduler.open_transports() == 0);
}
