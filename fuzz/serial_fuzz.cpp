// Two serial lines on a simulated null modem, driven by any schedule of events. Oracle: the callbacks follow the contract, each end is lost once
// and with a reason that fits, what arrives while nothing disturbs the wire is what was sent, and every port is free in the end.

#include <sluice/error.hpp>
#include <sluice/serial.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/testing/simulated_line.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "schedule.hpp"

namespace {

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

char byte_at(std::size_t place) { return static_cast<char>(place * 7 + place / 251); }

serial::options options_of(std::uint8_t byte) {
  serial::options how;
  how.line.baud = (byte & 1U) != 0 ? 115200 : 9600;
  how.line.parity = (byte & 2U) != 0 ? serial::parity::even : serial::parity::none;
  how.line.flow = serial::flow::rts_cts;
  how.line.mark_errors = (byte & 4U) != 0;
  how.low_latency = (byte & 8U) != 0;
  if ((byte & 16U) != 0) how.byte_pause = 200us;
  if ((byte & 32U) != 0 && !how.line.mark_errors) how.silence = 2ms;
  if ((byte & 64U) != 0 && !how.line.mark_errors) how.packet_time = 3ms;
  return how;
}

simulated_interface interface_of(std::uint8_t byte) {
  simulated_interface made;
  made.receive_fifo = (byte & 1U) != 0 ? 256 : 16;
  made.output_queue = (byte & 2U) != 0 ? 64 : 4096;
  made.most_per_write = (byte & 4U) != 0 ? 7 : 4096;
  made.most_per_read = (byte & 8U) != 0 ? 5 : 4095;
  if ((byte & 1U) != 0 && (byte & 16U) != 0) made.latency = 16ms;
  if ((byte & 32U) != 0) made.characters_at_once = 16;
  if ((byte & 64U) != 0) made.closing = 50ms;
  return made;
}

// One end, with all the connections that it has had.
struct end {
  simulated_port* port = nullptr;
  std::unique_ptr<recording_protocol> protocol = std::make_unique<recording_protocol>();
  connecting attempt;
  bool failed = false;
  std::size_t written = 0;
};

class walk {
 public:
  explicit walk(schedule& input) : how_(options_of(input.next())) {
    scheduler_.on_error([](const error_event& event) { require(event.source == error_source::leak, "no error is reported"); });
    for (end& each : ends_) {
      each.port = &cable_.add(interface_of(input.next()));
      open(each);
    }
    scheduler_.run_until_idle();
  }

  void step(std::uint8_t byte) {
    end& at = ends_[byte & 1U];
    transport* const line = at.protocol->connection();
    const unsigned detail = byte >> 4U;
    switch ((byte >> 1U) & 7U) {
      case 0:
      case 1:
        if (line != nullptr && !line->is_closing()) write(at, *line, detail * 13U + 1U);
        break;
      case 2: scheduler_.advance(detail * 700us); break;
      case 3:
        if (line != nullptr) (detail & 1U) != 0 ? line->pause_reading() : line->resume_reading();
        break;
      case 4: control(line, detail); break;
      case 5: disturb(at, detail); break;
      case 6: lose(at, line, detail); break;
      case 7: scheduler_.run_one_batch(); break;
    }
  }

  void finish() {
    for (end& each : ends_)
      if (transport* const line = each.protocol->connection(); line != nullptr) line->resume_reading();
    scheduler_.advance(100s);
    if (!disturbed_)
      for (const std::size_t i : {0U, 1U}) require_all_arrived(ends_[i], ends_[1 - i]);
    for (end& each : ends_)
      if (transport* const line = each.protocol->connection(); line != nullptr) line->close();
    scheduler_.advance(10min);  // twice a full queue at 1200 baud
    for (const end& each : ends_) {
      require(each.failed || each.protocol->is_lost() || each.protocol->events().empty(), "every end is lost once");
      require(!each.port->is_open(), "every port is free");
    }
    require(scheduler_.open_transports() == 0, "everything was given back");
  }

 private:
  void open(end& which) {
    which.failed = false;
    which.protocol->on_pause = [] { return backpressure::handled; };  // two that both wait to be read would wait for ever
    which.attempt = serial::open(
        scheduler_, which.port->device(), [&which] { return borrow(*which.protocol); },
        [&which](const result<transport&>& outcome) { which.failed = !outcome; }, how_);
  }

  void write(end& at, transport& line, std::size_t size) {
    std::string bytes;
    for (std::size_t i = 0; i != size; ++i) bytes += byte_at(at.written + i);
    if (line.write(bytes) != write_status::dropped) at.written += size;
  }

  void control(transport* line, unsigned detail) {
    if (line == nullptr) return;
    const serial::line_control of = serial::control(*line);
    switch (detail & 7U) {
      case 0: of.drain(detail * 1ms, [](std::error_code, std::size_t) {}); break;
      case 1:
        disturbed_ = true;
        of.discard(serial::direction::both);
        break;
      case 2:
        disturbed_ = true;  // a break arrives as a byte
        of.send_break(detail * 1ms);
        break;
      case 3: configure(of, detail); break;
      case 4: of.on_lines([](const serial::lines_changed&) {}, 1ms); break;
      case 5: of.on_input_errors([](const serial::input_error&) {}); break;
      case 6: of.blocked(); break;
      case 7:
        disturbed_ = true;
        of.set_lines(serial::line_level::keep, detail > 7 ? serial::line_level::on : serial::line_level::off);
        break;
    }
  }

  void configure(const serial::line_control& of, unsigned detail) {
    disturbed_ = true;
    serial::settings other = how_.line;
    other.baud = detail > 7 ? 19200 : 1200;
    of.configure(other, static_cast<serial::apply>(detail % 3), [](const result<serial::settings>&) {});
  }

  void disturb(end& at, unsigned detail) {
    disturbed_ = true;
    switch (detail & 3U) {
      case 0: at.port->damage_next(static_cast<serial::line_error>(detail >> 2U), 2); break;
      case 1: at.port->hold_interrupts((detail & 4U) != 0); break;
      case 2: at.port->set_ring((detail & 4U) != 0); break;
      case 3: at.port->fail(static_cast<simulated_call>(detail >> 2U), make_error_code(std::errc::io_error)); break;
    }
  }

  void lose(end& at, transport* line, unsigned detail) {
    disturbed_ = true;
    switch (detail & 3U) {
      case 0: at.port->unplug(); break;
      case 1: at.port->plug_in(); break;
      case 2:
        if (line != nullptr) (detail & 4U) != 0 ? line->abort() : line->close();
        break;
      case 3:
        if (!at.failed && !at.protocol->is_lost()) return;
        kept_.push_back(std::exchange(at.protocol, std::make_unique<recording_protocol>()));
        open(at);
        break;
    }
  }

  static void require_all_arrived(const end& from, const end& to) {
    const std::string& got = to.protocol->received();
    require(got.size() == from.written, "where nothing disturbs the line all arrives");
    for (std::size_t i = 0; i != got.size(); ++i) require(got[i] == byte_at(i), "bytes arrive in order, each once");
  }

  serial::options how_;
  std::vector<std::unique_ptr<recording_protocol>> kept_;
  std::array<end, 2> ends_;
  manual_scheduler scheduler_;
  simulated_line cable_{scheduler_};
  bool disturbed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  schedule input(data, size);
  walk followed(input);
  while (!input.is_over()) followed.step(input.next());
  followed.finish();
  return 0;
}
