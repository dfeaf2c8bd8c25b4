#include <sluice/serial/error.hpp>

#include <sluice/error.hpp>

#include <string>

namespace sluice::serial {
namespace {

const char* text(errc value) noexcept {
  switch (value) {
    case errc::device_gone: return "the device is gone";
    case errc::settings_refused: return "the driver did not take the settings";
    case errc::bad_settings: return "no serial line can have these settings";
    case errc::not_a_terminal: return "not a serial line";
    case errc::port_busy: return "the serial line is in use";
    case errc::rs485_not_supported: return "the driver cannot switch an RS-485 transceiver";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "serial"; }
  std::string message(int value) const override { return text(static_cast<errc>(value)); }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::device_gone: return make_error_condition(condition::peer_gone);
      case errc::settings_refused:
      case errc::bad_settings: return std::errc::invalid_argument;
      case errc::not_a_terminal: return std::errc::inappropriate_io_control_operation;
      case errc::port_busy: return std::errc::device_or_resource_busy;
      case errc::rs485_not_supported: return std::errc::not_supported;
    }
    return error_category::default_error_condition(value);
  }
};

}  // namespace

const std::error_category& serial_category() noexcept {
  static const category the_only_one;
  return the_only_one;
}

std::error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), serial_category()}; }

}  // namespace sluice::serial
