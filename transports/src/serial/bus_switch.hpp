#pragma once

#include <sluice/serial/settings.hpp>

#include <system_error>

namespace sluice::serial {

// The driver's switching of a transceiver. ENOTTY where the driver knows none.
std::error_code write_bus(int descriptor, const rs485_settings& wanted) noexcept;
// What the driver does; not enabled where it knows none.
rs485_settings read_bus(int descriptor) noexcept;

}  // namespace sluice::serial
