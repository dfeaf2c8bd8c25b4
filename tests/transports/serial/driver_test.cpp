#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <sys/ioctl.h>

#include <optional>
#include <string>
#include <vector>

#include "../socket_kit.hpp"
#include "driver_shim.hpp"
#include "terminal_kit.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using driver_shim::driver;
using sluice::testing::recording_protocol;
using socket_kit::run_until;

// What the channel says to a driver that has all that a pseudo-terminal lacks.

namespace {

struct open_line {
  explicit open_line(const serial::options& settings, const driver& state = {}) {
    driver_shim::with([&](driver& now) { now = state; });
    scheduler.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
    attempt = serial::open(
        scheduler, far.path(), [this] { return borrow(end); },
        [this](const result<transport&>& outcome) {
          answered = true;
          error = outcome.error();
          detail = outcome.detail();
        },
        settings);
    run_until(scheduler, [this] { return answered; });
  }
  serial::line_control control() { return serial::control(*end.connection()); }
  void close() {
    end.connection()->abort();
    run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }

  terminal_kit::far_end far;
  recording_protocol end;
  bool answered = false;
  std::error_code error;
  std::string detail;
  loop scheduler;
  connecting attempt;
};

driver now() {
  driver copy;
  driver_shim::with([&](const driver& state) { copy = state; });
  return copy;
}

serial::options on_a_bus() {
  serial::options settings;
  settings.line.rs485.enabled = true;
  settings.line.rs485.delay_before_send = 2ms;
  settings.line.rs485.delay_after_send = 3ms;
  return settings;
}

}  // namespace

TEST_CASE("Z4 our lines are left as the system has them, unless told otherwise") {
  const driver raised{.lines = TIOCM_DTR | TIOCM_RTS};
  serial::options settings;
  const open_line kept(settings, raised);
  CHECK(now().lines == (TIOCM_DTR | TIOCM_RTS));
  settings.dtr = serial::line_level::off;
  const open_line lowered(settings, raised);
  CHECK(now().lines == TIOCM_RTS);
  settings.dtr = serial::line_level::on;
  settings.rts = serial::line_level::off;
  const open_line mixed(settings, {.lines = TIOCM_RTS});
  CHECK(now().lines == TIOCM_DTR);
}

TEST_CASE("Z4 lines are read, set, and watched") {
  open_line line({}, {.lines = TIOCM_CTS | TIOCM_CAR});
  const auto lines = line.control().lines();
  REQUIRE(lines);
  CHECK(*lines == serial::modem_lines{.cts = true, .carrier = true});
  CHECK_FALSE(line.control().set_lines(serial::line_level::on, serial::line_level::keep));
  CHECK(now().lines == (TIOCM_CTS | TIOCM_CAR | TIOCM_DTR));
  std::optional<serial::lines_changed> told;
  CHECK_FALSE(line.control().on_lines([&](const serial::lines_changed& event) { told = event; }, 1ms));
  driver_shim::with([](driver& state) { state.lines |= TIOCM_DSR | TIOCM_RNG; });
  CHECK(run_until(line.scheduler, [&] { return told.has_value(); }));
  CHECK(told->changed == serial::modem_lines{.dsr = true, .ring = true});
}

TEST_CASE("Z4 a break is begun and ended by its time") {
  open_line line({}, {.line_status = TIOCSER_TEMT});
  bool done = false;
  line.control().send_break(5ms, [&](std::error_code error) { done = !error; });
  CHECK(run_until(line.scheduler, [] { return now().in_break; }));
  CHECK(run_until(line.scheduler, [&] { return done; }));
  CHECK_FALSE(now().in_break);
  CHECK(now().breaks == 1);
}

TEST_CASE("Z4 a break that the line closes in does not stay") {
  open_line line({}, {.line_status = TIOCSER_TEMT});
  line.control().send_break(1h);
  CHECK(run_until(line.scheduler, [] { return now().in_break; }));
  line.close();
  CHECK_FALSE(now().in_break);
}

TEST_CASE("Z4 counters of the driver begin with the opening") {
  driver busy;
  busy.counters.parity = 5;
  busy.counters.brk = 1;
  open_line line({}, busy);
  driver_shim::with([](driver& state) {
    state.counters.parity = 7;
    state.counters.frame = 1;
    state.counters.overrun = 2;
    state.counters.buf_overrun = 3;
    state.counters.rx = 100;
  });
  const auto counted = line.control().counters();
  REQUIRE(counted);
  CHECK(*counted ==
        serial::line_counters{.received = 100, .framing_errors = 1, .parity_errors = 2, .overruns = 2, .buffer_overruns = 3, .breaks = 0});
}

TEST_CASE("Z3 drain asks the interface, too, and not the driver's memory alone") {
  open_line line({});
  std::optional<std::error_code> done;
  line.control().drain(10s, [&](std::error_code error, std::size_t) { done = error; });
  socket_kit::iterations_during(line.scheduler, 30ms);
  CHECK_FALSE(done);
  driver_shim::with([](driver& state) { state.line_status = TIOCSER_TEMT; });
  CHECK(run_until(line.scheduler, [&] { return done.has_value(); }));
  CHECK(*done == std::error_code());
}

TEST_CASE("Z4 a bus is switched by the driver, with its levels and delays") {
  serial::options settings = on_a_bus();
  settings.line.rs485.receive_while_sending = true;
  settings.line.rs485.terminate_bus = true;
  open_line line(settings);
  REQUIRE_FALSE(line.error);
  const serial_rs485 bus = now().bus;
  CHECK(bus.flags == (SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND | SER_RS485_RX_DURING_TX | SER_RS485_TERMINATE_BUS));
  CHECK(bus.delay_rts_before_send == 2);
  CHECK(bus.delay_rts_after_send == 3);
  CHECK(line.end.connection()->info<serial::settings>()->rs485 == settings.line.rs485);
  line.close();
  const open_line plain({}, {.bus = bus});
  CHECK(now().bus.flags == 0);  // what an earlier program has left
}

TEST_CASE("Z4 a driver that cannot switch a bus is an error that names it and what would help") {
  const open_line line(on_a_bus(), {.knows_bus = false});
  CHECK(line.error == serial::errc::rs485_not_supported);
  CHECK(line.detail.find("driver pty") != std::string::npos);
  CHECK(line.detail.find("switching in software") != std::string::npos);
}

TEST_CASE("Z4 where it is asked for a bus is switched in software instead") {
  serial::options settings = on_a_bus();
  settings.line.rs485.switch_in_software = true;
  open_line line(settings, {.lines = TIOCM_RTS, .knows_bus = false, .line_status = TIOCSER_TEMT});
  REQUIRE_FALSE(line.error);
  CHECK(now().lines == 0);
  line.end.connection()->write("ask");
  CHECK(now().lines == TIOCM_RTS);
  CHECK(run_until(line.scheduler, [&] { return line.far.waiting() == 3; }));
  CHECK(line.far.receive(3) == "ask");
  CHECK(run_until(line.scheduler, [] { return now().lines == 0; }));
}

TEST_CASE("SL9 low latency is asked for, and what comes of it is told") {
  serial::options settings;
  settings.low_latency = true;
  open_line fast(settings);
  CHECK((static_cast<unsigned>(now().set_up.flags) & ASYNC_LOW_LATENCY) != 0);
  CHECK_FALSE(fast.control().found().low_latency);
  open_line slow(settings, {.may_set_up = false});
  CHECK_FALSE(slow.error);
  CHECK(slow.control().found().low_latency == std::errc::operation_not_permitted);
}

TEST_CASE("Z3 a line that closes asks the driver not to wait for what was not sent") {
  open_line line({});
  line.close();
  CHECK(now().set_up.closing_wait == ASYNC_CLOSING_WAIT_NONE);
}
