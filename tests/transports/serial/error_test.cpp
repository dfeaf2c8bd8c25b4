#include <sluice/serial/error.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>

using namespace sluice;

TEST_CASE("errors of a serial line name themselves and equal the conditions that call for the same reaction") {
  CHECK(describe(std::error_code(serial::errc::device_gone)) == "serial:1 the device is gone");
  CHECK(std::error_code(serial::errc::device_gone) == condition::peer_gone);
  CHECK(std::error_code(serial::errc::settings_refused) != condition::peer_gone);
  CHECK(std::error_code(serial::errc::settings_refused) == std::errc::invalid_argument);
  CHECK(std::error_code(serial::errc::bad_settings) == std::errc::invalid_argument);
  CHECK(std::error_code(serial::errc::not_a_terminal) == std::errc::inappropriate_io_control_operation);
  CHECK(std::error_code(serial::errc::port_busy) == std::errc::device_or_resource_busy);
  CHECK(std::error_code(serial::errc::rs485_not_supported) == std::errc::not_supported);
  CHECK(std::error_code(99, serial::serial_category()).message() == "unknown error");
}
