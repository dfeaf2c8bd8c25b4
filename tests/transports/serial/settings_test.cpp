#include <sluice/serial/settings.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace sluice;
using namespace sluice::serial;
using namespace std::chrono_literals;

namespace {

settings with(std::uint32_t baud, std::uint8_t data_bits = 8, serial::parity parity = parity::none,
              serial::stop_bits stop = stop_bits::one) {
  settings made;
  made.baud = baud;
  made.data_bits = data_bits;
  made.parity = parity;
  made.stop_bits = stop;
  return made;
}

bool mentions(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("settings are told in the usual short form") {
  CHECK(to_string(settings()) == "115200 8N1");
  CHECK(to_string(with(9600, 7, parity::even)) == "9600 7E1");
  CHECK(to_string(with(50, 5, parity::space, stop_bits::one_and_half)) == "50 5S1.5");
  settings line = with(250000, 8, parity::mark, stop_bits::two);
  line.receive_baud = 9600;
  line.flow = flow::rts_cts;
  CHECK(to_string(line) == "250000/9600 8M2 rts/cts");
  line = with(19200, 8, parity::odd);
  line.flow = flow::xon_xoff;
  line.rs485.enabled = true;
  CHECK(to_string(line) == "19200 8O1 xon/xoff rs485");
}

TEST_CASE("a fault of the settings is named together with what would be right") {
  CHECK(find_fault(settings()).empty());
  CHECK(mentions(find_fault(with(0)), "0 baud"));
  CHECK(mentions(find_fault(with(9600, 4)), "4 data bits; expected 5 to 8"));
  CHECK(mentions(find_fault(with(9600, 9)), "9 data bits"));
  CHECK(mentions(find_fault(with(9600, 8, parity::none, stop_bits::one_and_half)), "1.5 stop bits"));
  CHECK(mentions(find_fault(with(9600, 5, parity::none, stop_bits::two)), "2 stop bits"));
  CHECK(find_fault(with(9600, 5, parity::none, stop_bits::one_and_half)).empty());
}

TEST_CASE("a fault of the settings of a bus is named") {
  settings bus;
  bus.rs485.enabled = true;
  CHECK(find_fault(bus).empty());
  bus.rs485.delay_after_send = 1001ms;
  CHECK(mentions(find_fault(bus), "delay"));
  bus.rs485.delay_after_send = -1ms;
  CHECK(mentions(find_fault(bus), "delay"));
  bus.rs485.delay_after_send = 1s;
  bus.rs485.rts_after_send = true;
  CHECK(mentions(find_fault(bus), "opposite levels"));
  bus.rs485.rts_after_send = false;
  bus.flow = flow::rts_cts;
  CHECK(mentions(find_fault(bus), "exclude each other"));
  bus.rs485.enabled = false;
  CHECK(find_fault(bus).empty());
}

TEST_CASE("Z4 what a driver took otherwise is named, asked and got") {
  const settings asked = with(250000, 7, parity::even);
  CHECK(describe_deviation(asked, asked).empty());
  CHECK(describe_deviation(asked, with(115200, 8, parity::none)) ==
        "baud: asked 250000, got 115200; receive baud: asked 250000, got 115200; data bits: asked 7, got 8; parity: asked E, got N");
}

TEST_CASE("Z4 rates may differ by two in a hundred") {
  CHECK(describe_deviation(with(10000), with(10200)).empty());
  CHECK(describe_deviation(with(10000), with(9800)).empty());
  CHECK_FALSE(describe_deviation(with(10000), with(10201)).empty());
  CHECK_FALSE(describe_deviation(with(10000), with(9799)).empty());
}

TEST_CASE("Z4 flow control by DTR and DSR is nothing that a driver would have to read back") {
  settings asked;
  asked.flow = flow::dtr_dsr;
  CHECK(describe_deviation(asked, settings()).empty());
  asked.flow = flow::rts_cts;
  CHECK(describe_deviation(asked, settings()) == "flow control: asked rts/cts, got none");
}

TEST_CASE("Z4 each setting of a bus is compared, unless it is switched in software") {
  settings asked;
  asked.rs485.enabled = true;
  asked.rs485.delay_before_send = 5ms;
  settings got = asked;
  got.rs485.delay_before_send = 0ms;
  got.rs485.receive_while_sending = true;
  CHECK(describe_deviation(asked, got) == "rs485 receive while sending: asked off, got on; rs485 delay before send: asked 5 ms, got 0 ms");
  CHECK(describe_deviation(asked, settings()) == "rs485: asked on, got off");
  asked.rs485.switch_in_software = true;
  CHECK(describe_deviation(asked, settings()).empty());
}

TEST_CASE("the time of a character counts all of its bits") {
  CHECK(character_time(with(115200)) == 86806ns);  // 10 bits
  CHECK(character_time(with(9600, 8, parity::even, stop_bits::two)) == 1250us);
  CHECK(character_time(with(100, 5, parity::none, stop_bits::one_and_half)) == 75ms);
  CHECK(wire_time(with(9600), 960) == 1s);
  CHECK(wire_time(with(9600), 0) == 0ns);
}

TEST_CASE("the speed of a line turns bytes into time and back") {
  const line_speed speed = speed_of(with(115200));
  CHECK(speed.bytes_per_second == 11520);
  CHECK(speed.bytes_in(2s) == 23040);
  CHECK(speed.time_for(11520) == 1s);
  CHECK(speed.bytes_in(1ns) == 1);
  CHECK(speed_of(with(100, 5, parity::none, stop_bits::one_and_half)).bytes_per_second == doctest::Approx(13.3333));
}

TEST_CASE("the silences of Modbus count characters of 11 bits up to 19200 baud and are fixed above") {
  CHECK(modbus_silences(9600).between_frames == 4010417ns);
  CHECK(modbus_silences(9600).between_characters == 1718750ns);
  CHECK(modbus_silences(19200).between_frames == 2005209ns);
  CHECK(modbus_silences(19201).between_frames == 1750us);
  CHECK(modbus_silences(115200).between_characters == 750us);
}
