#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>

namespace sluice::serial {

// How long the adapter behind a port collects bytes before it hands them over: a file of the system's description of `device`, which the
// driver of FTDI has. Nothing where there is none.
std::optional<std::chrono::milliseconds> read_latency_timer(const std::filesystem::path& device);
// What the driver makes of it is to be read.
std::error_code write_latency_timer(const std::filesystem::path& device, std::chrono::milliseconds wanted);

}  // namespace sluice::serial
