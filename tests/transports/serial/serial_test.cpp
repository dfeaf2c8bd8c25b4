#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/schemes.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "../socket_kit.hpp"
#include "terminal_kit.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::lost_line;
using sluice::testing::recording_protocol;
using socket_kit::iterations_during;
using socket_kit::run_until;
using terminal_kit::far_end;

// Lines of the system: pseudo-terminals, which hang up as a device does that is unplugged.

namespace {

serial::options lenient_locks(serial::options settings = {}) {
  settings.lock = {.advisory = false, .exclusive = false};
  return settings;
}

// The lines that a test leaves open are closed with their loop.
void expect_no_error_but_open_lines(const error_event& event) {
  if (event.what.find("open transports") == event.what.npos) FAIL_CHECK(describe(event));
}

struct open_line {
  explicit open_line(const serial::options& settings = {}) {
    scheduler.on_error(expect_no_error_but_open_lines);
    attempt = open(settings);
    run_until(scheduler, [this] { return end.connection() != nullptr; });
  }
  connecting open(const serial::options& settings) {
    return serial::open(
        scheduler, far.path(), [this] { return borrow(end); }, {}, settings);
  }
  transport& connection() { return *end.connection(); }
  serial::line_control control() { return serial::control(connection()); }
  bool run_until_received(std::string_view text) {
    return run_until(scheduler, [this, text] { return end.received().size() >= text.size(); }) && end.received() == text;
  }
  bool run_until_lost() {
    return run_until(scheduler, [this] { return end.is_lost(); });
  }
  bool run_until_closed() {
    return run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }

  far_end far;
  recording_protocol end;
  loop scheduler;
  connecting attempt;
};

// Opens `path` and gives what the handler was told.
struct refusal {
  explicit refusal(const std::string& path, const serial::options& settings = {}) {
    loop scheduler;
    recording_protocol never;
    auto attempt = serial::open(
        scheduler, path, [&] { return borrow(never); },
        [&](const result<transport&>& outcome) {
          code = outcome.error();
          text = outcome.detail();
        },
        settings);
    run_until(scheduler, [&] { return static_cast<bool>(code); });
    CHECK(never.trace().empty());
  }
  bool says(std::string_view part) const {
    CAPTURE(text);
    return text.find(part) != std::string::npos;
  }
  std::error_code code;
  std::string text;
};

const auto device_gone = lost_line(serial::errc::device_gone);

}  // namespace

TEST_CASE("Z1 opening answers in a later turn, with a transport whose protocol knows it") {
  far_end far;
  recording_protocol end;
  loop scheduler;
  scheduler.on_error(expect_no_error_but_open_lines);
  std::optional<std::string> trace;
  auto attempt = serial::open(
      scheduler, far.path(), [&] { return borrow(end); },
      [&](const result<transport&>& outcome) {
        REQUIRE(outcome);
        CHECK(&*outcome == end.connection());
        trace = end.trace();
      });
  CHECK(attempt.in_progress());
  CHECK(end.connection() == nullptr);
  run_until(scheduler, [&] { return trace.has_value(); });
  CHECK(trace == "made");
  CHECK_FALSE(attempt.in_progress());
}

TEST_CASE("Z1 an attempt that is cancelled makes no connection and leaves the line free") {
  open_line line;
  line.connection().close();
  line.run_until_closed();
  recording_protocol second;
  {
    auto attempt = serial::open(line.scheduler, line.far.path(), [&] { return borrow(second); });
  }
  iterations_during(line.scheduler, 50ms);
  CHECK(second.trace().empty());
  const descriptor other(::open(line.far.path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  CHECK(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);
}

TEST_CASE("bytes pass both ways unchanged, whatever the terminal was set to before") {
  open_line line;
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  line.far.send(all);
  CHECK(line.run_until_received(all));
  line.connection().write(all);
  iterations_during(line.scheduler, 1ms);
  CHECK(line.far.receive(all.size()) == all);
}

TEST_CASE("more than the driver holds is sent bit by bit, in order") {
  open_line line;
  const std::string text = socket_kit::numbered(300'000);
  line.connection().write(text);
  CHECK(line.connection().get_write_buffer_size() > 0);
  std::string got;
  while (got.size() < text.size()) {
    iterations_during(line.scheduler, 1ms);
    got += line.far.receive(std::min<std::size_t>(line.far.waiting(), text.size() - got.size()));
  }
  CHECK(got == text);
  CHECK(line.connection().get_write_buffer_size() == 0);
}

TEST_CASE("Z4 what is known of a line is there to be asked, also what the driver made of the settings") {
  serial::options wanted;
  wanted.line.baud = 250'000;
  wanted.line.data_bits = 7;
  wanted.line.parity = serial::parity::even;
  wanted.line.stop_bits = serial::stop_bits::two;
  open_line line(wanted);
  const auto found = line.connection().info<serial::settings>();
  REQUIRE(found);
  CHECK(found->baud == 250'000);
  CHECK(found->stop_bits == serial::stop_bits::two);
  CHECK(found->data_bits == 8);  // a pseudo-terminal drops these two, and harms nobody by it
  CHECK(found->parity == serial::parity::none);
  CHECK(line.connection().info<line_speed>()->bytes_per_second == doctest::Approx(250'000 / 11.0));
  CHECK(line.connection().info<transport_kind>()->value == "serial");
  CHECK(line.connection().info<serial::port_name>()->value == line.far.path());
  CHECK(::isatty(line.connection().info<native_descriptor>()->value) == 1);
  CHECK(line.control().found().driver == "pty");
  CHECK(line.control().found().pretends);
  CHECK_FALSE(line.connection().info<serial::failure>());
}

TEST_CASE("Z2 a line has no end of output") {
  open_line line;
  CHECK_FALSE(line.connection().can_write_eof());
  CHECK(line.connection().write_eof() == errc::not_supported);
  line.far.send("still open");
  CHECK(line.run_until_received("still open"));
}

TEST_CASE("Z2 an unplugged device is one connection_lost, and no turn is wasted") {
  open_line line;
  line.far.unplug();
  CHECK(line.run_until_lost());
  CHECK(line.end.trace() == "made, " + device_gone);
  CHECK(line.end.lost_reason() == condition::peer_gone);
  CHECK(line.run_until_closed());
  CHECK(iterations_during(line.scheduler, 100ms) < 20);
}

TEST_CASE("Z2 an unplugged device is noticed while nothing is read") {
  open_line line;
  line.end.on_lost = [&](std::error_code) {
    const auto why = line.connection().info<serial::failure>();
    REQUIRE(why);
    CHECK(why->system == std::errc::io_error);
    CHECK(std::string(why->where) == "hang-up");
  };
  line.connection().pause_reading();
  line.far.unplug();
  CHECK(line.run_until_lost());
  CHECK(line.end.lost_reason() == serial::errc::device_gone);
}

TEST_CASE("Z2 writes in flight fail with the device, once") {
  open_line line;
  line.connection().write(std::string(200'000, 'x'));
  iterations_during(line.scheduler, 1ms);
  CHECK(line.connection().get_write_buffer_size() > 0);
  line.far.unplug();
  CHECK(line.connection().write("more") != write_status::accepted);
  CHECK(line.run_until_lost());
  CHECK(line.end.count(device_gone) == 1);
  CHECK(line.run_until_closed());
}

TEST_CASE("Z3 closing a line whose other end has stopped it ends at its deadline and blocks nothing") {
  serial::options wanted;
  wanted.line.flow = serial::flow::xon_xoff;
  wanted.close_timeout = 50ms;
  open_line line(wanted);
  line.far.send("\x13");
  iterations_during(line.scheduler, 10ms);
  line.connection().write("never sent");
  line.connection().close();
  CHECK(line.run_until_lost());
  CHECK(line.end.lost_reason() == errc::timed_out);
  CHECK(line.run_until_closed());
}

TEST_CASE("Z3 closing sends what was written") {
  open_line line;
  line.connection().write("the last words");
  line.connection().close();
  CHECK(line.run_until_lost());
  CHECK(line.end.lost_reason() == std::error_code());
  CHECK(line.run_until_closed());
  CHECK(line.far.receive(14) == "the last words");
}

TEST_CASE("Z4 a line that is locked is busy, and the error names who has it") {
  open_line line;
  const refusal second(line.far.path());
  CHECK(second.code == serial::errc::port_busy);
  CHECK(second.says("held by process " + std::to_string(::getpid())));
  line.far.send("not disturbed");
  CHECK(line.run_until_received("not disturbed"));
}

TEST_CASE("Z4 a line that another has exclusively is busy, also for root") {
  serial::options no_flock;
  no_flock.lock.advisory = false;
  open_line line(no_flock);
  const refusal second(line.far.path(), no_flock);
  CHECK(second.code == serial::errc::port_busy);
  line.connection().close();
  line.run_until_closed();
  const descriptor free_again(::open(line.far.path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  CHECK(free_again.is_open());
}

TEST_CASE("Z4 lines that nobody locks may be opened twice") {
  recording_protocol second;
  open_line line(lenient_locks());
  auto attempt = serial::open(
      line.scheduler, line.far.path(), [&] { return borrow(second); }, {}, lenient_locks());
  CHECK(run_until(line.scheduler, [&] { return second.connection() != nullptr; }));
}

TEST_CASE("Z4 settings that were found are put back if that is asked for") {
  serial::options wanted;
  wanted.restore_on_close = true;
  open_line line(wanted);
  const descriptor other(::open(line.far.path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  line.connection().close();
  CHECK(line.run_until_closed());
  line.far.send("echoed\n");
  CHECK(line.far.receive(8) == "echoed\r\n");  // as the terminal was in the beginning
}

TEST_CASE("each thing that stands in the way has an error of its own that can be read") {
  const refusal missing("/dev/no-such-line");
  CHECK(missing.code == std::errc::no_such_file_or_directory);
  CHECK(missing.says("/dev/no-such-line"));
  CHECK(missing.says("plugged in"));
  const refusal no_terminal("/dev/null");
  CHECK(no_terminal.code == serial::errc::not_a_terminal);
  CHECK(no_terminal.says("/dev/null"));
  const refusal no_device("/etc/passwd");
  CHECK(no_device.code == serial::errc::not_a_terminal);
  serial::options wrong;
  wrong.line.data_bits = 9;
  const refusal settings("/dev/null", wrong);
  CHECK(settings.code == serial::errc::bad_settings);
  CHECK(settings.says("9 data bits"));
}

TEST_CASE("a port is looked up by what is plugged in, and one that is not is an error that says so") {
  const refusal missing("usb:ffff:fffe:nobody");
  CHECK(missing.code == std::errc::no_such_file_or_directory);
  CHECK(missing.says("ffff:fffe"));
  CHECK(refusal("usb:1").code == errc::bad_endpoint);
}

TEST_CASE("a line that this user may not open names the group that may") {
  if (::geteuid() != 0) return;  // cannot become somebody else
  const far_end far;
  REQUIRE(::chown(far.path().c_str(), 0, 1) == 0);
  const auto open_as_nobody = [&](mode_t mode) {
    REQUIRE(::chmod(far.path().c_str(), mode) == 0);
    REQUIRE(::seteuid(65534) == 0);
    refusal forbidden(far.path());
    REQUIRE(::seteuid(0) == 0);
    CHECK(forbidden.code == std::errc::permission_denied);
    return forbidden;
  };
  CHECK(open_as_nobody(0660).says("the group that may open it is daemon"));
  CHECK(open_as_nobody(0640).says("only its owner"));
}

TEST_CASE("Z4 new settings apply to an open line") {
  open_line line;
  std::optional<result<serial::settings>> outcome;
  serial::settings next;
  next.baud = 9600;
  line.control().configure(next, serial::apply::after_output, [&](const auto& got) { outcome = got; });
  CHECK(run_until(line.scheduler, [&] { return outcome.has_value(); }));
  CHECK((*outcome)->baud == 9600);
  CHECK(line.connection().info<line_speed>()->bytes_per_second == 960);
  CHECK(line.connection().get_write_buffer_limits().high == 960);
}

TEST_CASE("Z4 what a pseudo-terminal has not is an error of the call, not of the connection") {
  open_line line;
  CHECK(line.control().lines().error() == std::errc::inappropriate_io_control_operation);
  CHECK(line.control().on_lines([](const serial::lines_changed&) {}) == std::errc::inappropriate_io_control_operation);
  CHECK(line.control().counters().error() == std::errc::inappropriate_io_control_operation);
  CHECK_FALSE(line.connection().is_closing());
}

TEST_CASE("Z5 bytes that need several reads and came without a silence are delivered together") {
  serial::options wanted;
  wanted.silence = 200ms;  // however slow this machine is at handing on what was sent
  wanted.packet_size = 8192;
  open_line line(wanted);
  const std::string packet = socket_kit::numbered(6000);
  line.far.send(packet);
  CHECK(line.run_until_received(packet));
  CHECK(line.end.count("data 6000") == 1);
}

TEST_CASE("a program that sets a line to return nothing does not end it") {
  open_line line;
  const int terminal = line.connection().info<native_descriptor>()->value;
  termios now{};
  REQUIRE(::tcgetattr(terminal, &now) == 0);
  now.c_cc[VMIN] = 0;
  REQUIRE(::tcsetattr(terminal, TCSANOW, &now) == 0);
  line.far.send("x");
  CHECK(line.run_until_received("x"));
  line.far.send("y");
  CHECK(line.run_until_received("xy"));
}

TEST_CASE("K4 a loop that ends with an open line gives it back") {
  const far_end far;
  recording_protocol end;
  {
    loop scheduler;
    scheduler.on_error(expect_no_error_but_open_lines);
    auto attempt = serial::open(scheduler, far.path(), [&] { return borrow(end); });
    run_until(scheduler, [&] { return end.connection() != nullptr; });
  }
  CHECK(end.lost_reason() == errc::aborted);
  CHECK((socket_kit::wait_for(far.get(), 0) & POLLHUP) != 0);  // it is closed by a thread that nobody waits for
}

TEST_CASE("an endpoint says all that a line can be told") {
  far_end far;
  recording_protocol end;
  loop scheduler;
  scheduler.on_error(expect_no_error_but_open_lines);
  auto attempt = connect(
      scheduler, "serial://" + far.path() + "?baud=9600&stop_bits=2&rtscts=on&silence=1750us&packet_time=20ms&close_timeout=50ms&high=100",
      [&] { return borrow(end); });
  REQUIRE(run_until(scheduler, [&] { return end.connection() != nullptr; }));
  const auto found = end.connection()->info<serial::settings>();
  CHECK(found->baud == 9600);
  CHECK(found->stop_bits == serial::stop_bits::two);
  CHECK(found->flow == serial::flow::rts_cts);
  CHECK(end.connection()->get_write_buffer_limits().high == 100);
  CHECK(end.connection()->options().close_timeout == 50ms);
}

TEST_CASE("SL7 an endpoint may force XON/XOFF on") {
  for (const bool forced : {true, false}) {
    far_end far;
    recording_protocol end;
    loop scheduler;
    scheduler.on_error(expect_no_error_but_open_lines);
    auto attempt =
        connect(scheduler, "serial://" + far.path() + "?xonxoff=on" + (forced ? "&force_xonxoff=on" : ""), [&] { return borrow(end); });
    REQUIRE(run_until(scheduler, [&] { return end.connection() != nullptr; }));
    CHECK(end.connection()->info<reserved_bytes>().has_value() != forced);
  }
}

TEST_CASE("an endpoint that no line can follow points at what is wrong") {
  loop scheduler;
  const auto complaint = [&](const std::string& text) -> std::string {
    try {
      connect(scheduler, text, [] { return protocol_ptr(); }).cancel();
    } catch (const bad_endpoint& error) {
      return error.what();
    }
    return "nothing";
  };
  const auto complains = [&](const std::string& text, std::string_view about) {
    const std::string said = complaint(text);
    CAPTURE(said);
    return said.find(about) != std::string::npos;
  };
  CHECK(complains("serial:///dev/x?baud=fast", "baud"));
  CHECK(complains("serial:///dev/x?rtscts=on&xonxoff=on", "one kind of flow control"));
  CHECK(complains("serial:///dev/x?stop_bits=1.5", "5 data bits"));
  CHECK(complains("serial:///dev/x?bauds=9600", "baud"));
  CHECK(complains("serial://host/dev/x", "host"));
  CHECK(complains("serial:", "serial:///dev/ttyUSB0"));
}
