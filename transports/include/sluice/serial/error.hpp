#pragma once

#include <system_error>
#include <type_traits>

namespace sluice::serial {

/// What only serial lines report. What the operating system refuses arrives as its own error (`uv_category()`): ENOENT, EACCES, EBUSY, ….
enum class errc {
  device_gone =
      1,  ///< The device was unplugged or its driver gave up; `info<failure>()` has the system's error. Equals `condition::peer_gone`.
  settings_refused,    ///< The driver did not take the settings; the detail names asked and got.
  bad_settings,        ///< No line can have these settings.
  not_a_terminal,      ///< The path names something else than a serial line.
  port_busy,           ///< Another process, or this one, has the line; the detail names who. Equals `std::errc::device_or_resource_busy`.
  rs485_not_supported  ///< The driver cannot switch a transceiver, and switching in software was not asked for.
};

/// Category of `errc`; its name is "serial".
const std::error_category& serial_category() noexcept;
std::error_code make_error_code(errc value) noexcept;

}  // namespace sluice::serial

template <>
struct std::is_error_code_enum<sluice::serial::errc> : std::true_type {};
