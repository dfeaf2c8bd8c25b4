// The code of docs/serial.md.
#include <sluice/pty.hpp>
#include <sluice/reconnect.hpp>
#include <sluice/serial.hpp>
#include <sluice/serial/port_watch.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/simulated_line.hpp>
#include <sluice/transport_ref.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
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

void follow(const sluice::transport& exported, const sluice::transport& line) {
  sluice::pty::on_settings(exported, [device = sluice::transport_ref(line)](const sluice::serial::settings& wanted) {
    if (device) sluice::serial::control(*device.get()).configure(wanted, sluice::serial::apply::after_output);
  });
}
