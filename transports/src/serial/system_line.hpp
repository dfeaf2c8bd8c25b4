#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/serial/device.hpp>

#include <filesystem>
#include <string>

#include "line_lock.hpp"
#include "terminal_settings.hpp"

namespace sluice::serial {

// Where the system keeps what is no part of a line; other places for tests.
struct system_places {
  std::string sys = "/sys";
  std::string locks = "/var/lock";
};

// An open line of the system with everything that is given back when it closes. `open` and `close` may block for long: they belong on a
// thread of their own. The destructor closes.
class system_line {
 public:
  system_line() noexcept = default;
  system_line(system_line&&) noexcept = default;
  system_line& operator=(system_line&&) noexcept = default;
  ~system_line() { close(); }

  // Opens, locks, applies and reads back.
  static result<system_line> open(const std::string& path, const open_settings& wanted, const system_places& where = {});
  // What waits to be sent is dropped first, as the system would wait for it.
  void close() noexcept;

  // Applies at once and reads back.
  result<settings> configure(const settings& wanted);

  int get() const noexcept { return descriptor_.get(); }
  const opened& found() const noexcept { return found_; }

 private:
  std::error_code prepare(const std::string& path, const std::string& sys, std::string& why);
  std::error_code ask_driver_for_low_latency() noexcept;
  void look_after_latency(const std::filesystem::path& device);
  void drop_output() const noexcept;
  result<bool> configure_bus(const settings& wanted);

  lock_file file_;  // goes last: the line is free when it is gone
  descriptor descriptor_;
  open_settings wanted_;
  terminal_state found_settings_;
  opened found_;
};

}  // namespace sluice::serial
