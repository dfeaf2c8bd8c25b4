#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scripted_line.hpp"

using namespace sluice;
using namespace std::chrono_literals;

// The serial channel over a device that does what the test says, in virtual time.

TEST_CASE("Z4 a driver that takes other settings is an error that names asked and got, and the line is closed before it is told") {
  auto script = std::make_shared<device_script>();
  script->refuses_settings = true;
  script->found.driver = "ftdi_sio";
  script->found.line.baud = 9600;
  const scripted_line line(with_baud(4'000'000), script);
  CHECK(line.error == serial::errc::settings_refused);
  CHECK(line.detail ==
        "opening scripted: the driver ftdi_sio took other settings: baud: asked 4000000, got 9600; receive baud: asked "
        "4000000, got 9600");
  CHECK(script->closed);
  CHECK(line.end.trace().empty());
}

TEST_CASE("Z4 what a driver made of the settings is only told where that is enough") {
  for (const bool strict : {true, false}) {
    auto script = std::make_shared<device_script>();
    script->refuses_settings = true;
    script->found.pretends = strict;
    script->found.line.baud = 9600;
    serial::options settings = with_baud(4'000'000);
    settings.strict = strict;
    scripted_line line(settings, script);
    REQUIRE(line.end.connection() != nullptr);
    CHECK(line.connection().info<serial::settings>()->baud == 9600);
  }
}

TEST_CASE("Z1 a driver that does not answer is given up at the deadline") {
  auto script = std::make_shared<device_script>();
  script->opens = false;
  scripted_line line({}, script);
  CHECK(line.attempt.in_progress());
  line.scheduler.advance(10s);
  CHECK(line.error == errc::timed_out);
  CHECK(script->closed);
}

TEST_CASE("Z1 what the driver refuses is told with its own words") {
  auto script = std::make_shared<device_script>();
  script->open_error = make_error_code(std::errc::permission_denied);
  const scripted_line line({}, script);
  CHECK(line.error == std::errc::permission_denied);
  CHECK(line.detail == "opening scripted: cannot");
}

TEST_CASE("Z3 drain tells when the last bit has left, and not when the driver took it") {
  scripted_line line(with_baud(9600));
  std::optional<std::error_code> done;
  line.connection().write("0123456789");
  line.scheduler.run_until_idle();
  line.control().drain(1s, [&](std::error_code error, std::size_t left) {
    done = error;
    CHECK(left == 0);
  });
  line.scheduler.advance(5ms);
  CHECK_FALSE(done);
  line.script->transmitter_empty = false;
  line.script->empty();
  line.scheduler.advance(100ms);
  CHECK_FALSE(done);
  line.script->transmitter_empty = true;
  line.scheduler.advance(20ms);
  CHECK(done == std::error_code());
}

TEST_CASE("Z3 a driver that has nothing left is not believed before the line can be done") {
  scripted_line line(with_baud(100));
  bool done = false;
  line.connection().write("0123456789");  // one second
  line.scheduler.run_until_idle();
  line.script->empty();
  line.control().drain(10s, [&](std::error_code, std::size_t) { done = true; });
  line.scheduler.advance(980ms);
  CHECK_FALSE(done);
  line.scheduler.advance(40ms);
  CHECK(done);
}

TEST_CASE("Z3 drain tells at its deadline how much is left") {
  auto script = std::make_shared<device_script>();
  script->room = 4;
  scripted_line line({}, script);
  std::optional<std::size_t> left;
  line.connection().write("0123456789");
  line.control().drain(300ms, [&](std::error_code error, std::size_t bytes) {
    CHECK(error == errc::timed_out);
    left = bytes;
  });
  line.scheduler.advance(299ms);
  CHECK_FALSE(left);
  line.scheduler.advance(1ms);
  CHECK(left == 10);
}

TEST_CASE("Z3 drain is cancelled when the line closes") {
  scripted_line line;
  line.connection().write("x");
  line.scheduler.run_until_idle();
  std::optional<std::error_code> done;
  line.control().drain(10s, [&](std::error_code error, std::size_t) { done = error; });
  line.connection().abort();
  line.scheduler.run_until_idle();
  CHECK(done == errc::cancelled);
  CHECK(line.end.is_lost());
}

TEST_CASE("Z3 a graceful close waits for the wire, at most twice what the line needs") {
  scripted_line line(with_baud(9600));
  line.connection().write("x");
  line.scheduler.run_until_idle();
  line.connection().close();
  line.scheduler.advance(500ms);
  CHECK_FALSE(line.end.is_lost());
  line.script->empty();
  line.scheduler.advance(20ms);
  CHECK(line.end.lost_reason() == std::error_code());
  CHECK(line.script->closed);
}

TEST_CASE("Z3 a graceful close of a line that takes nothing ends by itself") {
  scripted_line line(with_baud(115200));
  line.connection().write("x");
  line.scheduler.run_until_idle();
  line.connection().close();
  line.scheduler.advance(4s);
  CHECK(line.end.lost_reason() == errc::timed_out);
}

TEST_CASE("Z5 a full driver is waited for without a clock, also where bytes are paced") {
  serial::options paced;
  paced.byte_pause = 1ms;
  auto script = std::make_shared<device_script>();
  script->room = 2;
  scripted_line line(paced, script);
  line.connection().write("abc");
  line.scheduler.advance(1s);
  CHECK(line.script->written == "ab");
  CHECK(line.control().blocked()->why == serial::output_block::reason::driver);
  CHECK(line.script->watched == serial::interest::both);
  line.script->empty();
  line.ready();
  CHECK(line.script->written == "abc");
}

TEST_CASE("Z2 the failure of any call is one connection_lost with what the system said") {
  scripted_line line;
  line.script->broken = true;
  line.end.on_lost = [&](std::error_code) {
    const auto why = line.connection().info<serial::failure>();
    REQUIRE(why);
    CHECK(std::string(why->where) == "read");
  };
  line.ready();
  CHECK(line.end.count("lost") + line.end.count(sluice::testing::lost_line(serial::errc::device_gone)) == 1);
  CHECK(line.script->closed);
}

TEST_CASE("Z4 new settings wait for what was written before, and what is written after waits for them") {
  scripted_line line;
  line.connection().write("old");
  line.scheduler.run_until_idle();
  serial::settings next;
  next.baud = 9600;
  bool told = false;
  line.control().configure(next, serial::apply::after_output, [&](const auto& got) { told = got->baud == 9600; });
  line.connection().write("new");
  line.scheduler.advance(50ms);
  CHECK(line.script->written == "old");
  CHECK(line.script->calls.back() == "open 115200 8N1");
  line.script->empty();
  line.scheduler.advance(20ms);
  CHECK(line.script->calls.back() == "configure 9600 8N1");
  CHECK(line.script->written == "oldnew");
  CHECK(told);
}

TEST_CASE("Z4 new settings at once leave what waits to them, and may drop it") {
  auto script = std::make_shared<device_script>();
  script->room = 2;
  scripted_line line({}, script);
  line.connection().write("old");
  line.scheduler.run_until_idle();
  serial::settings next;
  next.baud = 9600;
  line.control().configure(next, serial::apply::now);
  CHECK(line.script->calls.back() == "configure 9600 8N1");
  CHECK(line.connection().get_write_buffer_size() == 1);
  next.baud = 19200;
  line.control().configure(next, serial::apply::discard_output);
  CHECK(line.connection().get_write_buffer_size() == 0);
  CHECK(line.script->queued == 0);
  line.connection().write("new");
  line.scheduler.run_until_idle();
  CHECK(line.script->written == "olne");
}

TEST_CASE("Z4 settings that the driver does not take leave the old ones") {
  scripted_line line;
  line.script->refuses_settings = true;
  line.script->takes_instead.baud = 115200;
  serial::settings next;
  next.baud = 250'000;
  std::optional<result<serial::settings>> outcome;
  line.control().configure(next, serial::apply::now, [&](const auto& got) { outcome = got; });
  line.scheduler.run_until_idle();
  REQUIRE(outcome);
  CHECK(outcome->error() == serial::errc::settings_refused);
  CHECK(outcome->detail().find("asked 250000, got 115200") != std::string::npos);
  CHECK(line.script->calls.back() == "configure 115200 8N1");
  CHECK(line.connection().info<serial::settings>()->baud == 115200);
}

TEST_CASE("Z4 a break stands between what was written before it and after it, and lasts as long as was asked") {
  scripted_line line;
  line.connection().write("before");
  line.scheduler.run_until_idle();
  std::optional<std::error_code> done;
  line.control().send_break(100ms, [&](std::error_code error) { done = error; });
  line.connection().write("after");
  line.scheduler.advance(30ms);
  CHECK_FALSE(line.script->in_break);
  line.script->empty();
  line.scheduler.advance(20ms);
  CHECK(line.script->in_break);
  CHECK(line.script->written == "before");
  line.scheduler.advance(79ms);
  CHECK(line.script->in_break);
  line.scheduler.advance(20ms);
  CHECK_FALSE(line.script->in_break);
  CHECK(done == std::error_code());
  CHECK(line.script->written == "beforeafter");
}

TEST_CASE("Z4 a line that closes in a break ends the break first") {
  scripted_line line;
  std::optional<std::error_code> done;
  line.control().send_break(1s, [&](std::error_code error) { done = error; });
  line.scheduler.advance(10ms);
  CHECK(line.script->in_break);
  line.connection().close();
  line.scheduler.run_until_idle();
  CHECK_FALSE(line.script->in_break);
  CHECK(done == errc::cancelled);
}

TEST_CASE("Z4 changes of the modem lines are told to who asked, also those that were over before they were seen") {
  scripted_line line;
  std::vector<serial::lines_changed> told;
  CHECK_FALSE(line.control().on_lines([&](const serial::lines_changed& event) { told.push_back(event); }));
  line.scheduler.advance(100ms);
  CHECK(told.empty());
  line.script->lines.cts = true;
  line.scheduler.advance(20ms);
  REQUIRE(told.size() == 1);
  CHECK(told[0].now.cts);
  CHECK(told[0].changed.cts);
  CHECK_FALSE(told[0].changed.dsr);
  line.script->counters.ring_changes += 2;
  line.scheduler.advance(20ms);
  REQUIRE(told.size() == 2);
  CHECK(told[1].changed.ring);
  CHECK_FALSE(told[1].now.ring);
  line.control().on_lines(nullptr);
  line.script->lines.cts = false;
  line.scheduler.advance(100ms);
  CHECK(told.size() == 2);
}

TEST_CASE("Z4 counters begin with the opening") {
  auto script = std::make_shared<device_script>();
  script->counters.parity_errors = 7;
  scripted_line line({}, script);
  script->counters.parity_errors = 9;
  CHECK(line.control().counters()->parity_errors == 2);
}

TEST_CASE("Z4 what waits can be dropped, and the protocol goes on") {
  auto script = std::make_shared<device_script>();
  script->room = 10;
  serial::options settings;
  settings.write_time = 0ms;
  settings.stream.write_buffer = {5, 20};
  scripted_line line(settings, script);
  line.connection().write(std::string(100, 'x'));
  line.scheduler.run_until_idle();
  CHECK(line.end.count("pause") == 1);
  bool drained = false;
  line.control().drain(10s, [&](std::error_code error, std::size_t) { drained = !error; });
  CHECK_FALSE(line.control().discard(serial::direction::output));
  CHECK(line.end.count("resume") == 1);
  CHECK(line.connection().get_write_buffer_size() == 0);
  line.scheduler.advance(50ms);
  CHECK(drained);
  script->input = "unread";
  CHECK_FALSE(line.control().discard(serial::direction::input));
  line.ready();
  CHECK(line.end.received().empty());
}

TEST_CASE("Z5 bytes leave with a pause between each two") {
  serial::options settings = with_baud(10'000);
  settings.byte_pause = 500us;
  scripted_line line(settings);
  line.connection().write("abc");
  line.scheduler.run_until_idle();
  CHECK(line.script->written == "a");
  CHECK(line.control().blocked()->why == serial::output_block::reason::paced);
  line.scheduler.advance(1499us);
  CHECK(line.script->written == "a");
  line.scheduler.advance(1us);
  CHECK(line.script->written == "ab");
  line.scheduler.advance(1500us);
  CHECK(line.script->written == "abc");
  CHECK_FALSE(line.control().blocked());
}

TEST_CASE("Z7 the marks are a time on the line, and follow its speed") {
  scripted_line line(with_baud(9600));
  CHECK(line.connection().get_write_buffer_limits().high == 960);
  CHECK(line.connection().get_write_buffer_limits().low == 240);
  serial::settings next;
  next.baud = 2400;
  line.control().configure(next, serial::apply::now);
  CHECK(line.connection().get_write_buffer_limits().high == 240);
  next.baud = 4'000'000;
  line.control().configure(next, serial::apply::now);
  CHECK(line.connection().get_write_buffer_limits().high == 64 * 1024);
}

TEST_CASE("Z7 the size of what waits is there without counting, and pauses and resumes as on every transport") {
  auto script = std::make_shared<device_script>();
  script->room = 100;
  scripted_line line(with_baud(1000), script);  // a mark of 100 bytes
  line.connection().write(std::string(250, 'x'));
  line.scheduler.run_until_idle();
  CHECK(line.connection().get_write_buffer_size() == 150);
  CHECK(line.end.count("pause") == 1);
  CHECK(line.control().blocked()->why == serial::output_block::reason::driver);
  script->empty();
  line.ready();
  CHECK(line.connection().get_write_buffer_size() == 50);
  CHECK(line.end.count("resume") == 0);
  script->empty();
  line.ready();
  CHECK(line.end.count("resume") == 1);
}

TEST_CASE("Z4 why output waits can be asked") {
  auto script = std::make_shared<device_script>();
  script->room = 0;
  serial::options settings;
  settings.line.flow = serial::flow::rts_cts;
  scripted_line line(settings, script);
  CHECK_FALSE(line.control().blocked());
  line.scheduler.advance(5s);
  line.connection().write("x");
  line.scheduler.run_until_idle();
  line.scheduler.advance(1s);
  REQUIRE(line.control().blocked());
  CHECK(line.control().blocked()->why == serial::output_block::reason::cts);
  CHECK(line.scheduler.now() - line.control().blocked()->since == 1s);
  script->lines.cts = true;
  CHECK(line.control().blocked()->why == serial::output_block::reason::driver);
}

TEST_CASE("Z4 flow control by DTR and DSR holds output until DSR is on, and DTR follows reading") {
  serial::options settings;
  settings.line.flow = serial::flow::dtr_dsr;
  scripted_line line(settings);
  CHECK(line.script->calls.back() == "lines on keep");
  line.connection().write("x");
  line.scheduler.advance(50ms);
  CHECK(line.script->written.empty());
  CHECK(line.control().blocked()->why == serial::output_block::reason::dsr);
  line.script->lines.dsr = true;
  line.scheduler.advance(10ms);
  CHECK(line.script->written == "x");
  line.connection().pause_reading();
  CHECK(line.script->calls.back() == "lines off keep");
  line.connection().resume_reading();
  line.scheduler.run_until_idle();
  CHECK(line.script->calls.back() == "lines on keep");
}

TEST_CASE("Z4 where the driver cannot switch a transceiver, RTS is switched around each burst of output") {
  serial::options settings;
  settings.line.rs485.enabled = true;
  settings.line.rs485.switch_in_software = true;
  settings.line.rs485.delay_before_send = 2ms;
  settings.line.rs485.delay_after_send = 3ms;
  scripted_line line(settings);
  CHECK(line.script->calls.back() == "lines keep off");
  line.connection().write("ask");
  CHECK(line.script->calls.back() == "lines keep on");
  CHECK(line.control().blocked()->why == serial::output_block::reason::bus);
  line.scheduler.advance(1999us);
  CHECK(line.script->written.empty());
  line.scheduler.advance(1us);
  CHECK(line.script->written == "ask");
  line.connection().write(" more");
  line.scheduler.advance(10ms);
  CHECK(line.script->written == "ask more");
  CHECK(line.script->calls.back() == "lines keep on");
  line.script->empty();
  line.scheduler.advance(3ms);
  CHECK(line.script->calls.back() == "lines keep on");
  line.scheduler.advance(2ms);
  CHECK(line.script->calls.back() == "lines keep off");
  line.connection().write("again");
  line.scheduler.advance(2ms);
  CHECK(line.script->written == "ask moreagain");
  line.connection().abort();
  line.scheduler.run_until_idle();
  CHECK(std::count(line.script->calls.begin(), line.script->calls.end(), "lines keep off") == 3);
}

TEST_CASE("Z8 errors of the input are told in their places, and a pause in between loses and moves nothing") {
  serial::options settings;
  settings.line.mark_errors = true;
  scripted_line line(settings);
  line.control().on_input_errors(
      [&](const serial::input_error& found) { line.end.note(found.what == serial::line_error::line_break ? "break" : "error"); });
  line.arrive(std::string("ab\xff\xff\xff", 5));
  line.arrive(std::string("\0x", 2));
  line.arrive(std::string("cd\xff\0\0", 5));
  CHECK(line.end.trace() == "made, data 3, error, data 2, break");
  CHECK(line.end.received() ==
        "ab\xff"
        "cd");
  line.end.forget();
  bool pauses = true;
  line.end.on_data = [&](const_bytes) {
    if (pauses) line.connection().pause_reading();
  };
  line.arrive(std::string("one\xff\0\0two", 9));
  CHECK(line.end.trace() == "data 3");
  pauses = false;
  line.connection().resume_reading();
  line.scheduler.run_until_idle();
  CHECK(line.end.trace() == "data 3, break, data 3");
  CHECK(line.control().input_errors().breaks == 2);
  CHECK(line.control().input_errors().framing == 1);  // it can be nothing else without parity
}

TEST_CASE("Z8 what becomes of each kind of error is an option") {
  serial::options settings;
  settings.line.mark_errors = true;
  settings.line.parity = serial::parity::even;
  settings.errors.unknown = serial::error_policy::replace;
  settings.errors.line_break = serial::error_policy::drop;
  scripted_line line(settings);
  line.arrive(std::string("a\xff\0x\xff\0\0b", 8));
  CHECK(line.end.received() == "a?b");
  settings.silence = 5ms;
  CHECK(scripted_line(settings).error == serial::errc::bad_settings);
  settings.silence = 0ms;
  settings.packet_time = 5ms;
  CHECK(scripted_line(settings).error == serial::errc::bad_settings);
}

TEST_CASE("the time at which bytes were there is known in nanoseconds") {
  scripted_line line;
  line.scheduler.advance(1'234'567ns);
  line.arrive("x");
  CHECK(line.control().last_received() == time_point(1'234'567ns));
}

TEST_CASE("the control of another transport is none, and one of a closing line answers that it is closed") {
  CHECK_FALSE(serial::line_control());
  CHECK(serial::line_control().discard(serial::direction::both) == errc::closed);
  scripted_line line;
  const serial::line_control control = line.control();
  CHECK(control);
  line.connection().close();
  CHECK(control.set_break(true) == errc::closed);
  CHECK(control.lines().error() == errc::closed);
  std::optional<std::error_code> done;
  control.drain(1s, [&](std::error_code error, std::size_t) { done = error; });
  line.scheduler.run_until_idle();
  CHECK(done == errc::closed);
}

TEST_CASE("a read budget lets others have their turn") {
  scripted_line line;
  line.script->input = std::string(200'000, 'x');
  line.script->listener->ready(serial::interest::input);
  CHECK(line.end.received().size() < 200'000);
  while (!line.script->input.empty()) line.ready();
  CHECK(line.end.received().size() == 200'000);
}
