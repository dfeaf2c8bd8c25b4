// The code of docs/serial.md.
#include <sluice/capture/player.hpp>
#include <sluice/capture/queue.hpp>
#include <sluice/capture/tap.hpp>
#include <sluice/capture/writer.hpp>
#include <sluice/layer.hpp>
#include <sluice/pty.hpp>
#include <sluice/reconnect.hpp>
#include <sluice/serial.hpp>
#include <sluice/serial/port_watch.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/simulated_line.hpp>
#include <sluice/transport_ref.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

void report(const sluice::result<sluice::transport&>& opened) {
  if (!opened) std::fprintf(stderr, "%s\n", opened.detail().c_str());
}

void open_meter(sluice::loop& loop, sluice::protocol_factory factory) {
  sluice::serial::options settings;
  settings.line.baud = 9600;
  settings.line.data_bits = 7;
  settings.line.parity = sluice::serial::parity::even;
  sluice::serial::open(loop, "/dev/serial/by-id/usb-FTDI_FT232R_A1B2-if00-port0", factory, report, settings).detach();
}

std::unique_ptr<sluice::reconnector> stay_connected(sluice::loop& loop, sluice::protocol_factory factory) {
  const char* const meter = "serial:///dev/serial/by-id/usb-FTDI_FT232R_A1B2-if00-port0?baud=9600";
  auto client = std::make_unique<sluice::reconnector>(loop, meter, std::move(factory));
  client->start();
  return client;
}

std::unique_ptr<sluice::serial::port_watch> hurry_when_plugged_in(sluice::loop& loop, sluice::reconnector& client) {
  return std::make_unique<sluice::serial::port_watch>(loop, [&client](const sluice::serial::port_event& event) {
    if (event.what != sluice::serial::port_change::removed) client.retry_now();
  });
}

void send_and_turn_off(sluice::transport& transport) {
  transport.write("last words\r\n");
  const sluice::serial::line_control line = sluice::serial::control(transport);
  line.drain(std::chrono::seconds(2), [line](std::error_code error, std::size_t left) {
    if (error) std::fprintf(stderr, "%zu bytes were not sent: %s\n", left, error.message().c_str());
    line.set_lines(sluice::serial::line_level::off, sluice::serial::line_level::keep);
  });
}

void wake_up(const sluice::serial::line_control& line) {
  line.send_break(std::chrono::milliseconds(20));
  sluice::serial::settings fast;
  fast.baud = 115200;
  line.configure(fast, sluice::serial::apply::after_output);
}

sluice::serial::options two_wires() {
  sluice::serial::options settings;
  settings.line.baud = 19200;
  settings.line.parity = sluice::serial::parity::even;
  settings.line.rs485.enabled = true;
  settings.line.rs485.delay_after_send = std::chrono::milliseconds(1);
  return settings;
}

void two_programs_on_one_desk(sluice::protocol_factory here, sluice::protocol_factory there) {
  sluice::testing::manual_scheduler scheduler;
  sluice::testing::simulated_line cable(scheduler);
  sluice::testing::simulated_port& adapter = cable.add({.prefix = "/dev/ttyUSB", .latency = std::chrono::milliseconds(16)});
  sluice::testing::simulated_port& board = cable.add();
  auto first = sluice::serial::open(scheduler, adapter.device(), std::move(here));
  auto second = sluice::serial::open(scheduler, board.device(), std::move(there));
  scheduler.advance(std::chrono::seconds(60));
  adapter.unplug();
  scheduler.advance(std::chrono::seconds(1));
  adapter.plug_in();
}

sluice::serial::options frames_by_silence(std::uint32_t baud) {
  sluice::serial::options settings;
  settings.line.baud = baud;
  settings.line.parity = sluice::serial::parity::even;
  settings.silence = sluice::serial::modbus_silences(baud).between_frames + sluice::serial::character_time(settings.line);
  return settings;
}

class recorded_meter {
 public:
  recorded_meter(sluice::loop& loop, sluice::protocol_factory factory)
      : records_(loop), files_(loop, records_, files()), line_(loop, meter, sluice::wrap<sluice::capture::tap>(loop, factory, records_)) {
    line_.start();
  }

 private:
  static constexpr const char* meter = "serial:///dev/serial/by-id/usb-FTDI_FT232R_A1B2-if00-port0?baud=9600";

  static sluice::capture::writer_options files() {
    sluice::capture::writer_options options;
    options.path = "/var/log/meter.pcapng";
    options.max_size = 16 << 20;
    options.keep = 7;
    return options;
  }

  sluice::capture::queue records_;
  sluice::capture::writer files_;
  sluice::reconnector line_;
};

void record_line_events(const sluice::transport& made) {
  sluice::capture::tap* const records = sluice::capture::find_tap(made);
  const sluice::serial::line_control line = sluice::serial::control(made);
  if (records == nullptr) return;
  line.on_input_errors([records](const sluice::serial::input_error& error) {
    const bool is_break = error.what == sluice::serial::line_error::line_break;
    const bool is_parity = error.what == sluice::serial::line_error::parity;
    records->note(is_break    ? sluice::capture::event::line_break
                  : is_parity ? sluice::capture::event::parity_error
                              : sluice::capture::event::framing_error,
                  {&error.character, is_break ? std::size_t{0} : std::size_t{1}});
  });
}

void once_more(const std::string& capture, sluice::protocol_factory factory) {
  sluice::testing::manual_scheduler scheduler;
  sluice::capture::play(scheduler, capture, factory());
  scheduler.advance(std::chrono::hours(1));
}

void follow(const sluice::transport& exported, const sluice::transport& line) {
  sluice::pty::on_settings(exported, [device = sluice::transport_ref(line)](const sluice::serial::settings& wanted) {
    if (device) sluice::serial::control(*device.get()).configure(wanted, sluice::serial::apply::after_output);
  });
}
