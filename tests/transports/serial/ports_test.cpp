#include <sluice/serial/ports.hpp>

#include <sluice/error.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fake_system.hpp"

using namespace sluice;
using namespace sluice::serial;

namespace {

std::vector<port> ports_of(const fake_system& machine) {
  auto found = list_ports(machine.folders());
  REQUIRE(found);
  return *found;
}

std::vector<std::string> paths_of(const fake_system& machine) {
  std::vector<std::string> paths;
  for (const port& each : ports_of(machine)) paths.push_back(each.path);
  return paths;
}

bool fits(const std::string& match, const usb_device& device) {
  const auto parsed = usb_match::parse(match);
  REQUIRE(parsed);
  return (*parsed).matches(device);
}

}  // namespace

TEST_CASE("Z9 a port of a USB adapter is listed with all that the system knows of it") {
  fake_system machine;
  machine.usb("1-1", "0403", "6001", "A1B2", "FTDI", "FT232R USB UART");
  machine.adapter("1-1", 0, "ttyUSB0", "ftdi_sio");
  machine.add_link("by-id", "usb-FTDI_FT232R_A1B2-if00-port0", "ttyUSB0");
  machine.add_link("by-path", "pci-0000:00:14.0-usb-0:1:1.0-port0", "ttyUSB0");
  const auto found = ports_of(machine);
  REQUIRE(found.size() == 1);
  CHECK(found[0] == port{.path = machine.dev("ttyUSB0"),
                         .by_id = {machine.dev("serial/by-id/usb-FTDI_FT232R_A1B2-if00-port0")},
                         .by_path = {machine.dev("serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0")},
                         .driver = "ftdi_sio",
                         .usb = usb_device{0x0403, 0x6001, "A1B2", "FTDI", "FT232R USB UART", std::uint8_t{0}},
                         .accessible = true});
}

TEST_CASE("Z9 a port that is a USB interface itself, and one without a serial number, are listed") {
  fake_system machine;
  machine.usb("1-2", "2341", "0043", "");
  machine.modem("1-2", 2, "ttyACM0");
  const auto found = ports_of(machine);
  REQUIRE(found.size() == 1);
  CHECK(found[0].driver == "cdc_acm");
  REQUIRE(found[0].usb);
  CHECK(found[0].usb->serial == "");
  CHECK(found[0].usb->interface == std::uint8_t{2});
  CHECK(found[0].by_id.empty());
}

TEST_CASE("Z9 a UART of the board is listed with its driver if there is a chip") {
  fake_system machine;
  machine.uart("ttyS0", "4");
  machine.uart("ttyS1", "0");
  const auto found = ports_of(machine);
  REQUIRE(found.size() == 1);
  CHECK(found[0].path == machine.dev("ttyS0"));
  CHECK(found[0].driver == "serial");
  CHECK(!found[0].usb);
}

TEST_CASE("Z9 what has no device, or no file to open, is not listed") {
  fake_system machine;
  machine.console("tty0");
  machine.usb("1-1", "0403", "6001", "A");
  machine.adapter("1-1", 0, "ttyUSB0", "ftdi_sio");
  machine.remove_node("ttyUSB0");
  CHECK(ports_of(machine).empty());
}

TEST_CASE("Z9 ports are in the order of their names, numbers as numbers") {
  fake_system machine;
  machine.usb("1-1", "0403", "6011", "A");
  for (const unsigned number : {10U, 9U, 2U}) machine.adapter("1-1", number % 4, "ttyUSB" + std::to_string(number), "ftdi_sio");
  machine.modem("1-1", 3, "ttyACM7");
  CHECK(paths_of(machine) ==
        std::vector<std::string>{machine.dev("ttyACM7"), machine.dev("ttyUSB2"), machine.dev("ttyUSB9"), machine.dev("ttyUSB10")});
}

TEST_CASE("Z9 a device whose numbers make no sense is a port without a USB device") {
  fake_system machine;
  machine.usb("1-1", "zzzz", "6001", "A");
  machine.adapter("1-1", 0, "ttyUSB0", "ftdi_sio");
  CHECK(!ports_of(machine)[0].usb);
}

TEST_CASE("Z9 a dangling link leads nowhere") {
  fake_system machine;
  machine.uart("ttyS0", "4");
  machine.add_link("by-id", "gone", "ttyUSB7");
  CHECK(ports_of(machine)[0].by_id.empty());
}

TEST_CASE("Z9 a system that does not list its devices is an error with the folder in it") {
  fake_system machine;
  machine.remove_class();
  const auto found = list_ports(machine.folders());
  CHECK(found.error() == std::errc::no_such_file_or_directory);
  CHECK(found.detail().find("/sys/class/tty") != std::string::npos);
}

TEST_CASE("Z9 the ports of this machine can be listed") {
  const auto found = list_ports();
  CHECK((found || found.error() == std::errc::no_such_file_or_directory));
}

TEST_CASE("Z9 a match picks by vendor, product, serial number and interface") {
  const usb_device device{0x0403, 0x6010, "FT1", "", "", std::uint8_t{1}};
  for (const char* yes : {"0403:6010", "0403:6010:FT1", "0403:6010:FT1:1", "0403:6010:FT1:01", "0403:6010::01", "0403:6010:"})
    CHECK_MESSAGE(fits(yes, device), yes);
  for (const char* no : {"0403:6001", "0404:6010", "0403:6010:ft1", "0403:6010:FT", "0403:6010:FT1:0", "0403:6010::2", "0403:6010:1",
                         "0403:6010:FT1:001", "0403:6010:FT1:x"})
    CHECK_MESSAGE(!fits(no, device), no);
}

TEST_CASE("Z9 a serial number may hold colons") {
  const usb_device board{0x303a, 0x1001, "7C:DF:A1:00:00:01", "", "", std::uint8_t{0}};
  CHECK(fits("303a:1001:7C:DF:A1:00:00:01", board));
  CHECK(fits("303A:1001:7C:DF:A1:00:00:01:0", board));
  CHECK(!fits("303a:1001:7C:DF:A1:00:00", board));
  CHECK(!fits("303a:1001:7C:DF:A1:00:00:01:1", board));
}

TEST_CASE("Z9 text that is no match is refused with the form that is expected") {
  for (const char* bad :
       {"", ":", "0403", "0403:", "403:6001", "04033:6001", "0403:601", "0403:60011", "xyzw:6001", "0403-6001", "+403:6001"}) {
    const auto parsed = usb_match::parse(bad);
    CHECK_MESSAGE(parsed.error() == errc::bad_endpoint, bad);
    CHECK(parsed.detail().find("VID:PID[:SERIAL][:INTERFACE]") != std::string::npos);
  }
}

TEST_CASE("Z9 a port is found by match and by path, through links") {
  fake_system machine;
  machine.usb("1-1", "0403", "6001", "A1");
  machine.adapter("1-1", 0, "ttyUSB3", "ftdi_sio");
  machine.add_link("by-id", "usb-A1", "ttyUSB3");
  const auto where = machine.folders();
  for (const std::string& name : {std::string("usb:0403:6001:A1"), machine.dev("serial/by-id/usb-A1"), machine.dev("ttyUSB3")}) {
    const auto found = find_port(name, where);
    REQUIRE_MESSAGE(found, found.detail());
    CHECK(*found == machine.dev("ttyUSB3"));
  }
}

TEST_CASE("Z9 a match is looked up anew each time") {
  fake_system machine;
  machine.usb("1-1", "0403", "6001", "A1");
  machine.adapter("1-1", 0, "ttyUSB0", "ftdi_sio");
  const auto find = [&machine] { return find_port("usb:0403:6001:A1", machine.folders()); };
  CHECK(*find() == machine.dev("ttyUSB0"));
  machine.remove("ttyUSB0");
  CHECK(find().error() == std::errc::no_such_file_or_directory);
  machine.adapter("1-1", 0, "ttyUSB1", "ftdi_sio");
  CHECK(*find() == machine.dev("ttyUSB1"));
}

TEST_CASE("Z9 no port, and several, are errors that name what there is") {
  fake_system machine;
  machine.uart("ttyS0", "4");
  const auto find = [&machine](const char* name) { return find_port(name, machine.folders()); };
  CHECK(find("usb:0403:6010").detail().find("there is no port of a USB device") != std::string::npos);
  machine.usb("1-1", "0403", "6010", "A1");
  machine.adapter("1-1", 0, "ttyUSB0", "ftdi_sio");
  machine.adapter("1-1", 1, "ttyUSB1", "ftdi_sio");
  const auto none = find("usb:1234:0001");
  CHECK(none.error() == std::errc::no_such_file_or_directory);
  CHECK(none.detail().find(machine.dev("ttyUSB1")) != std::string::npos);
  CHECK(none.detail().find("ttyS0") == std::string::npos);
  const auto several = find("usb:0403:6010:A1");
  CHECK(several.error() == errc::bad_endpoint);
  CHECK(several.detail().find(machine.dev("ttyUSB0") + ", " + machine.dev("ttyUSB1")) != std::string::npos);
  CHECK(*find("usb:0403:6010::1") == machine.dev("ttyUSB1"));
  CHECK(find("usb:wrong").error() == errc::bad_endpoint);
  CHECK(find("/nowhere/at/all").detail().find("/nowhere/at/all") != std::string::npos);
}
