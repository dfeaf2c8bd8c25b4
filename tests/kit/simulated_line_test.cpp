#include <sluice/testing/simulated_line.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/serial.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

// One end: a port with a protocol on it.
struct end {
  void open(scheduler& owner, std::unique_ptr<serial::device> line, const serial::options& how) {
    attempt = serial::open(
        owner, std::move(line), [this] { return borrow(protocol); },
        [this](const result<transport&>& outcome) {
          error = outcome.error();
          detail = outcome.detail();
        },
        how);
  }
  transport& connection() { return *protocol.connection(); }
  serial::line_control control() { return serial::control(connection()); }
  std::string received() { return protocol.received(); }

  recording_protocol protocol;
  std::optional<std::error_code> error;
  std::string detail;
  connecting attempt;
};

serial::options with(std::uint32_t baud, serial::parity parity = serial::parity::none, std::uint8_t data_bits = 8) {
  serial::options how;
  how.line.baud = baud;
  how.line.parity = parity;
  how.line.data_bits = data_bits;
  return how;
}

// Two ends on a null modem.
struct desk {
  explicit desk(const simulated_interface& left = {}, const simulated_interface& right = {}) : a(cable.add(left)), b(cable.add(right)) {
    scheduler.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
  }
  void open(const serial::options& left, const serial::options& right) {
    near.open(scheduler, a.device(), left);
    far.open(scheduler, b.device(), right);
    scheduler.run_until_idle();
  }
  void open(const serial::options& both = {}) { open(both, both); }

  end near;
  end far;
  manual_scheduler scheduler;
  simulated_line cable{scheduler};
  simulated_port& a;
  simulated_port& b;
};

std::string bytes(std::initializer_list<int> values) {
  std::string made;
  for (const int each : values) made += static_cast<char>(each);
  return made;
}

}  // namespace

TEST_CASE("M3 characters arrive in the time that they take on the wire, to the nanosecond") {
  desk d;
  d.open(with(9600));
  d.near.connection().write("0123456789");
  d.scheduler.advance(9 * 1041667ns);
  CHECK(d.far.received() == "012345678");
  d.scheduler.advance(989582ns);  // up to the middle of the last stop bit
  CHECK(d.far.received() == "012345678");
  d.scheduler.advance(2ns);
  CHECK(d.far.received() == "0123456789");
}

TEST_CASE("M3 every setting of a line carries its bytes") {
  for (const std::uint32_t baud : {50U, 9600U, 115200U, 250000U, 12'000'000U})
    for (const auto parity : {serial::parity::none, serial::parity::even, serial::parity::odd, serial::parity::mark, serial::parity::space})
      for (std::uint8_t bits = 5; bits <= 8; ++bits) {
        desk d;
        d.open(with(baud, parity, bits));
        std::string sent;
        for (int i = 0; i < 1 << bits; ++i) sent += static_cast<char>(i);
        d.near.connection().write(sent);
        d.scheduler.advance(120s);
        CHECK(d.far.received() == sent);
        CHECK(d.b.counters().framing_errors + d.b.counters().parity_errors + d.b.counters().breaks == 0);
      }
}

TEST_CASE("Z4 a rate that is off by 2 % still works, and another one gives garbage") {
  for (const std::uint32_t baud : {9600U, 9790U, 9410U, 19200U, 4800U}) {
    desk d;
    d.open(with(9600), with(baud));
    const std::string sent = "The quick brown fox";
    d.near.connection().write(sent);
    d.scheduler.advance(1s);
    CHECK((d.far.received() == sent) == (baud > 9000 && baud < 10000));
    CHECK_FALSE(d.far.received().empty());
  }
}

TEST_CASE("Z4 the other parity is a parity error, and other data bits are other bytes") {
  desk d;
  d.open(with(9600, serial::parity::even), with(9600, serial::parity::odd));
  d.near.connection().write("ab");
  d.scheduler.advance(1s);
  CHECK(d.b.counters().parity_errors == 2);
  CHECK(d.far.received() == "ab");  // as Linux delivers them where nobody asked for marks
  desk other;
  other.open(with(9600), with(9600, serial::parity::none, 7));
  other.near.connection().write("\xe1");
  other.scheduler.advance(1s);
  CHECK(other.far.received() != "\xe1");
}

TEST_CASE("Z8 errors stand in the stream in their places where they are marked") {
  desk d;
  serial::options marked = with(9600, serial::parity::even);
  marked.line.mark_errors = true;
  d.open(marked);
  std::string told;
  d.far.control().on_input_errors([&](const serial::input_error& found) {
    told += found.what == serial::line_error::line_break ? "break " : "error ";
    told += std::to_string(std::to_integer<int>(found.character)) + " behind " + d.far.received() + ", ";
  });
  d.near.connection().write("a\xff");
  d.scheduler.advance(1s);
  d.b.damage_next(serial::line_error::parity);
  d.near.connection().write("bc");
  d.scheduler.advance(1s);
  d.near.control().send_break(20ms);
  d.near.connection().write("d");
  d.scheduler.advance(1s);
  CHECK(told ==
        "error 98 behind a\xff, break 0 behind a\xff"
        "c, ");
  CHECK(d.far.received() ==
        "a\xff"
        "cd");
  CHECK(d.b.counters().parity_errors == 1);
  CHECK(d.b.counters().breaks == 1);
}

TEST_CASE("M3 without marks a break is a zero byte, as in Linux") {
  desk d;
  d.open();
  d.near.control().send_break(1ms);
  d.scheduler.advance(1s);
  CHECK(d.far.received() == bytes({0}));
  CHECK(d.far.control().counters()->breaks == 1);
}

TEST_CASE("M3 noise comes from the seed, and the same seed brings the same noise") {
  const auto received_with = [](std::uint64_t seed) {
    end near;
    end far;
    manual_scheduler scheduler;
    scheduler.on_error([](const error_event&) {});
    simulated_line cable(scheduler, wiring::null_modem, seed);
    simulated_port& a = cable.add();
    simulated_port& b = cable.add({.one_bad_bit_in = 50});
    near.open(scheduler, a.device(), with(115200));
    far.open(scheduler, b.device(), with(115200));
    scheduler.run_until_idle();
    near.connection().write(std::string(500, 'x'));
    scheduler.advance(1s);
    return far.received();
  };
  CHECK(received_with(1) == received_with(1));
  CHECK(received_with(1) != received_with(2));
  CHECK(received_with(1) != std::string(500, 'x'));
}

TEST_CASE("Z7 the queue of the driver fills, takes a part of a write, and tells of room when few wait") {
  desk d({.output_queue = 300, .most_per_write = 100});
  d.open(with(9600));
  d.near.connection().write(std::string(1000, 'x'));
  d.scheduler.run_until_idle();
  CHECK(d.near.connection().get_write_buffer_size() == 1000 - 300);
  d.scheduler.advance(2s);
  CHECK(d.near.connection().get_write_buffer_size() == 0);
  CHECK(d.far.received() == std::string(1000, 'x'));
}

TEST_CASE("M3 an interface that is not served overruns, and a driver that is not read loses what comes") {
  desk d;
  d.open();
  d.b.hold_interrupts(true);
  d.near.connection().write("0123456789abcdefGHIJ");
  d.scheduler.advance(1s);
  d.b.hold_interrupts(false);
  d.scheduler.run_until_idle();
  CHECK(d.far.received() == "0123456789abcdef");
  CHECK(d.far.control().counters()->overruns == 4);
  d.far.connection().pause_reading();
  d.near.connection().write(std::string(5000, 'x'));
  d.scheduler.advance(1s);
  d.far.connection().resume_reading();
  d.scheduler.run_until_idle();
  CHECK(d.far.control().counters()->buffer_overruns == 5000 - 4095);
  CHECK(d.far.received().size() == 16 + 4095);
}

TEST_CASE("Z5 what was received comes in clumps, after the latency or when there is much") {
  desk d({}, {.receive_fifo = 256, .latency = 16ms, .clump = 10});
  d.open();
  d.near.connection().write("abc");
  d.scheduler.advance(15ms);
  CHECK(d.far.received().empty());
  d.scheduler.advance(2ms);
  CHECK(d.far.received() == "abc");
  d.near.connection().write("0123456789");
  d.scheduler.advance(1ms);
  CHECK(d.far.received() == "abc0123456789");
}

TEST_CASE("SL9 low latency is 1 ms where the driver knows it, and else its error") {
  for (const bool knows : {true, false}) {
    desk d({}, {.receive_fifo = 256, .latency = 16ms});
    if (!knows) d.b.fail(simulated_call::low_latency, make_error_code(std::errc::not_supported));
    serial::options wanted;
    wanted.low_latency = true;
    d.open({}, wanted);
    d.near.connection().write("x");
    d.scheduler.advance(2ms);
    CHECK(d.far.received().empty() != knows);
    CHECK((d.far.control().found().low_latency == std::error_code()) == knows);
    CHECK(d.far.control().found().latency_timer == (knows ? 1ms : 16ms));
  }
}

TEST_CASE("F1 RTS and CTS hold the sender, and no byte is lost") {
  desk d;
  serial::options flow = with(115200);
  flow.line.flow = serial::flow::rts_cts;
  d.open(flow);
  d.far.connection().pause_reading();
  const std::string sent(20'000, 'x');
  d.near.connection().write(sent);
  d.scheduler.advance(10s);
  CHECK(d.near.control().blocked()->why == serial::output_block::reason::cts);
  CHECK_FALSE(d.near.control().lines()->cts);
  d.far.connection().resume_reading();
  d.scheduler.advance(10s);
  CHECK(d.far.received() == sent);
  CHECK(d.b.counters().buffer_overruns == 0);
}

TEST_CASE("F1 XON and XOFF hold the sender, are no data, and no byte is lost") {
  desk d;
  serial::options flow = with(115200);
  flow.line.flow = serial::flow::xon_xoff;
  d.open(flow);
  d.far.connection().pause_reading();
  const std::string sent(20'000, 'x');
  d.near.connection().write(sent);
  d.scheduler.advance(10s);
  CHECK(d.near.connection().get_write_buffer_size() > 10'000);
  d.far.connection().resume_reading();
  d.scheduler.advance(10s);
  CHECK(d.far.received() == sent);
  CHECK(d.near.received().empty());
}

TEST_CASE("F1 DTR and DSR, by the library, hold the sender") {
  desk d;
  serial::options flow = with(115200);
  flow.line.flow = serial::flow::dtr_dsr;
  d.open(flow);
  d.far.connection().pause_reading();
  d.near.connection().write("wait");
  d.scheduler.advance(1s);
  CHECK(d.far.received().empty());
  CHECK(d.near.control().blocked()->why == serial::output_block::reason::dsr);
  d.far.connection().resume_reading();
  d.scheduler.advance(1s);
  CHECK(d.far.received() == "wait");
}

TEST_CASE("Z8 a null modem crosses the lines, and a subscriber hears of each change") {
  desk d;
  d.open();
  CHECK(*d.near.control().lines() == serial::modem_lines{true, true, true, true, false, true});
  std::vector<bool> carriers;
  d.near.control().on_lines([&](const serial::lines_changed& told) { carriers.push_back(told.now.carrier); });
  d.far.control().set_lines(serial::line_level::off, serial::line_level::keep);
  d.scheduler.advance(20ms);
  CHECK(carriers == std::vector<bool>{false});
  CHECK_FALSE(d.near.control().lines()->dsr);
  bool rang = false;
  d.near.control().on_lines([&](const serial::lines_changed& told) { rang = told.changed.ring; });
  d.a.set_ring(true);  // shorter than anybody looks
  d.a.set_ring(false);
  d.scheduler.advance(20ms);
  CHECK(rang);
}

TEST_CASE("Z4 closing lowers the lines, unless that is not wanted, and puts the settings back if it is") {
  for (const bool hang_up : {true, false}) {
    desk d;
    serial::options how = with(1200);
    how.hang_up_on_close = hang_up;
    how.restore_on_close = hang_up;
    d.open({}, how);
    d.far.connection().close();
    d.scheduler.advance(1s);
    CHECK(d.near.control().lines()->carrier != hang_up);
    CHECK(d.b.settings().baud == (hang_up ? 115200 : 1200));
    CHECK_FALSE(d.b.is_open());
  }
}

TEST_CASE("Z2 an unplugged device is one connection_lost, and it comes back under another name where the old one is held") {
  desk d({.prefix = "/dev/ttyUSB", .id = "/dev/serial/by-id/meter", .closing = 100ms});
  d.open();
  CHECK(d.a.name() == "/dev/ttyUSB0");
  d.far.connection().write("lost");
  d.a.unplug();
  CHECK(d.a.name().empty());
  d.a.plug_in();
  CHECK(d.a.name() == "/dev/ttyUSB1");
  d.scheduler.advance(1s);
  CHECK(d.near.protocol.lost_reason() == serial::errc::device_gone);
  CHECK(d.near.received().empty());
  end again;
  again.open(d.scheduler, d.cable.device("/dev/serial/by-id/meter"), {});
  d.scheduler.run_until_idle();
  d.far.connection().write("back");
  d.scheduler.advance(1s);
  CHECK(again.received() == "back");
  again.connection().close();
  d.scheduler.advance(5s);
  d.a.unplug();
  d.a.plug_in();
  CHECK(d.a.name() == "/dev/ttyUSB0");
}

TEST_CASE("Z2 an unplug while reading is paused is told at once") {
  desk d;
  d.open();
  d.near.connection().pause_reading();
  d.a.unplug();
  d.scheduler.run_until_idle();
  CHECK(d.near.protocol.lost_reason() == serial::errc::device_gone);
}

TEST_CASE("Z1 a device that is not there, one that is in use, and one that fails are told apart") {
  end other;
  desk d;
  d.open();
  other.open(d.scheduler, d.cable.device("/dev/ttyUSB7"), {});
  d.scheduler.run_until_idle();
  CHECK(other.error == std::errc::no_such_file_or_directory);
  CHECK(other.detail.find("is the device plugged in?") != std::string::npos);
  other.open(d.scheduler, d.a.device(), {});
  d.scheduler.run_until_idle();
  CHECK(other.error == serial::errc::port_busy);
  d.near.connection().abort();
  d.scheduler.run_until_idle();
  d.a.fail(simulated_call::open, make_error_code(std::errc::permission_denied));
  other.open(d.scheduler, d.a.device(), {});
  d.scheduler.run_until_idle();
  CHECK(other.error == std::errc::permission_denied);
  other.open(d.scheduler, d.a.device(), {});
  d.scheduler.run_until_idle();
  CHECK(other.error == std::error_code());
}

TEST_CASE("Z1 a device that is dropped while it is open frees its port at once") {
  desk d;
  std::error_code error = serial::errc::port_busy;
  std::unique_ptr<serial::device> dropped = d.a.device();
  dropped->open({}, [&](const result<serial::opened>& outcome) { error = outcome.error(); });
  d.scheduler.run_until_idle();
  REQUIRE_FALSE(error);
  dropped.reset();
  d.open();
  CHECK(d.near.error == std::error_code());
}

TEST_CASE("Z1 opening and closing take their time without holding anything up") {
  desk d({.opening = 20s, .closing = 30s});
  serial::options patient;
  patient.open_timeout = 60s;
  d.open(patient);
  CHECK_FALSE(d.near.error);
  d.scheduler.advance(20s);
  CHECK(d.near.error == std::error_code());
  d.near.connection().close();
  d.scheduler.advance(29s);
  CHECK(d.a.is_open());
  CHECK(d.near.protocol.is_lost());
  d.scheduler.advance(2s);
  CHECK_FALSE(d.a.is_open());
  CHECK(d.scheduler.open_transports() == 1);
}

TEST_CASE("Z4 a driver that makes something else of a rate is found out") {
  desk d({.takes = [](const serial::settings& wanted) {
    serial::settings made = wanted;
    made.baud = 9600;
    return made;
  }});
  d.open(with(4'000'000));
  CHECK(d.near.error == serial::errc::settings_refused);
  CHECK_FALSE(d.a.is_open());
}

TEST_CASE("Z2 a call that fails is the end, with the name of the call") {
  desk d;
  d.open();
  d.a.fail(simulated_call::write, make_error_code(std::errc::io_error));
  const char* where = nullptr;
  d.near.protocol.on_lost = [&](std::error_code) { where = d.near.connection().info<serial::failure>()->where; };
  d.near.connection().write("x");
  d.scheduler.advance(5s);  // a driver that only cannot write is read from for a while (rule W7)
  REQUIRE(where != nullptr);
  CHECK(std::string(where) == "write");
}

TEST_CASE("M3 a line may end before its devices") {
  end near;
  manual_scheduler scheduler;
  scheduler.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
  {
    simulated_line cable(scheduler);
    near.open(scheduler, cable.add().device(), {});
    scheduler.run_until_idle();
  }
  near.connection().write("into nothing");
  scheduler.advance(1s);
  CHECK(near.protocol.lost_reason() == serial::errc::device_gone);
}

TEST_CASE("M3 a null modem has two ends, and nothing has a size of 0") {
  manual_scheduler scheduler;
  simulated_line cable(scheduler);
  CHECK_THROWS_AS(cable.add({.receive_fifo = 0}), std::invalid_argument);
  cable.add();
  cable.add();
  CHECK_THROWS_AS(cable.add(), std::logic_error);
}
