#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/testing/simulated_line.hpp>

#include <array>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

// Several stations on two wires, and frames that end by silence: in virtual time, to the nanosecond.

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

struct station {
  recording_protocol protocol;
  std::error_code error;
  connecting attempt;
  transport& connection() { return *protocol.connection(); }
};

struct bus {
  bus() {
    scheduler.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
    wires.on_character([this](const wire_character& seen) { characters.push_back(seen); });
  }
  simulated_port& open(station& which, const simulated_interface& hardware, const serial::options& how) {
    simulated_port& port = wires.add(hardware);
    which.attempt = serial::open(
        scheduler, port.device(), [&which] { return borrow(which.protocol); },
        [&which](const result<transport&>& outcome) { which.error = outcome.error(); }, how);
    scheduler.run_until_idle();
    return port;
  }

  std::vector<wire_character> characters;
  std::array<station, 4> stations;
  manual_scheduler scheduler;
  simulated_line wires{scheduler, wiring::bus};
};

// As Modbus RTU wants it: 11 bits for each character.
serial::options modbus_line(std::uint32_t baud = 9600) {
  serial::options how;
  how.line.baud = baud;
  how.line.parity = serial::parity::even;
  return how;
}

serial::options switched(bool in_software) {
  serial::options how = modbus_line();
  how.line.rs485.enabled = true;
  how.line.rs485.switch_in_software = in_software;
  how.line.rs485.delay_before_send = 2ms;
  how.line.rs485.delay_after_send = 3ms;
  return how;
}

}  // namespace

TEST_CASE("Z4 what one station of a bus sends all others hear, itself not") {
  bus b;
  for (station& each : b.stations) b.open(each, {}, modbus_line());
  b.stations[2].connection().write("to all");
  b.scheduler.advance(1s);
  for (std::size_t i = 0; i != b.stations.size(); ++i) CHECK(b.stations[i].protocol.received() == (i == 2 ? "" : "to all"));
  CHECK(b.wires.collisions() == 0);
}

TEST_CASE("Z4 two stations that send at once spoil each other's characters") {
  bus b;
  serial::options marked = modbus_line();
  marked.line.mark_errors = true;
  for (station& each : b.stations) b.open(each, {}, marked);
  int errors = 0;
  serial::control(b.stations[3].connection()).on_input_errors([&](const serial::input_error&) { ++errors; });
  b.stations[0].connection().write("aaaa");
  b.scheduler.advance(1500us);
  b.stations[1].connection().write("bb");
  b.scheduler.advance(1s);
  CHECK(b.wires.collisions() != 0);
  CHECK(errors != 0);
  CHECK(b.stations[3].protocol.received().front() == 'a');
  b.stations[1].connection().write("again");
  b.scheduler.advance(1s);
  CHECK(b.stations[3].protocol.received().ends_with("again"));
}

TEST_CASE("Z4 the driver switches the transceiver, waits before and behind, and hears what it asks for") {
  bus b;
  simulated_port& sender = b.open(b.stations[0], {.bus_transceiver = transceiver::by_rts}, switched(false));
  b.open(b.stations[1], {}, modbus_line());
  CHECK_FALSE(sender.lines().rts);
  b.stations[0].connection().write("xy");
  b.scheduler.advance(1ms);
  CHECK(sender.lines().rts);
  CHECK(b.characters.empty());
  b.scheduler.advance(1ms + 2 * 1145834ns + 2999us);
  CHECK(b.characters.size() == 2);
  CHECK(b.characters[0].begins.time_since_epoch() == 2ms);
  CHECK(sender.lines().rts);
  b.scheduler.advance(2us);
  CHECK_FALSE(sender.lines().rts);
  CHECK(b.stations[1].protocol.received() == "xy");
  CHECK(b.stations[0].protocol.received().empty());
}

TEST_CASE("Z4 a driver that cannot switch is an error, and switching in software does it") {
  bus b;
  const simulated_interface plain{.bus_transceiver = transceiver::by_rts, .switches_transceiver = false};
  b.open(b.stations[0], plain, switched(false));
  CHECK(b.stations[0].error == serial::errc::rs485_not_supported);
  simulated_port& sender = b.open(b.stations[1], plain, switched(true));
  b.open(b.stations[2], {}, modbus_line());
  b.stations[1].connection().write("request");
  b.scheduler.advance(1s);
  CHECK(b.stations[2].protocol.received() == "request");
  CHECK_FALSE(sender.lines().rts);
  b.stations[2].connection().write("answer");
  b.scheduler.advance(1s);
  CHECK(b.stations[1].protocol.received() == "answer");
  CHECK(b.wires.collisions() == 0);
}

TEST_CASE("Z4 a station that leaves RTS on keeps the bus from all others") {
  bus b;
  b.open(b.stations[0], {.bus_transceiver = transceiver::by_rts}, modbus_line());  // Linux raises RTS at opening
  b.open(b.stations[1], {}, modbus_line());
  b.open(b.stations[2], {}, modbus_line());
  b.stations[1].connection().write("x");
  b.scheduler.advance(1s);
  CHECK(b.stations[2].protocol.received() != "x");
  CHECK(b.wires.collisions() == 1);
  serial::control(b.stations[0].connection()).set_lines(serial::line_level::keep, serial::line_level::off);
  b.stations[1].connection().write("y");
  b.scheduler.advance(1s);
  CHECK(b.stations[2].protocol.received().back() == 'y');
}

TEST_CASE("Z5 a gap of 3.5 characters ends a frame, and a shorter one does not") {
  for (const std::uint32_t baud : {1200U, 9600U, 19200U}) {
    const serial::silences times = serial::modbus_silences(baud);
    for (const duration off : {-10us, 0us, 10us}) {
      bus b;
      b.open(b.stations[0], {}, modbus_line(baud));
      serial::options receiving = modbus_line(baud);
      // A character is there at its end: the next one is heard of a character's time after the gap.
      receiving.silence = times.between_frames + serial::character_time(receiving.line);
      b.open(b.stations[1], {}, receiving);
      std::vector<std::string> frames;
      b.stations[1].protocol.on_data = [&](const_bytes data) { frames.emplace_back(as_text(data)); };
      b.stations[0].connection().write("first");
      b.scheduler.run_until([&] { return b.characters.size() == 5; });
      const time_point second = b.characters.back().ends + times.between_frames + off;
      b.scheduler.advance(second - b.scheduler.now());
      b.stations[0].connection().write("second");
      b.scheduler.advance(1s);
      REQUIRE(b.characters.size() == 11);
      CHECK(b.characters[5].begins - b.characters[4].ends == times.between_frames + off);
      CHECK(frames == (off < 0us ? std::vector<std::string>{"firstsecond"} : std::vector<std::string>{"first", "second"}));
    }
  }
}

TEST_CASE("Z5 a packet is delivered when its silence is over, not a nanosecond before") {
  bus b;
  b.open(b.stations[0], {}, modbus_line());
  serial::options receiving = modbus_line();
  receiving.silence = 4'010'417ns;
  b.open(b.stations[1], {}, receiving);
  b.stations[0].connection().write("x");
  b.scheduler.advance(serial::character_time(receiving.line));
  const time_point heard = serial::control(b.stations[1].connection()).last_received();
  b.scheduler.advance(heard + 4'010'416ns - b.scheduler.now());
  CHECK(b.stations[1].protocol.received().empty());
  b.scheduler.advance(1ns);
  CHECK(b.stations[1].protocol.received() == "x");
}
