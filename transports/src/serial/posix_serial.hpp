#pragma once

#include <sluice/loop.hpp>
#include <sluice/serial/device.hpp>

#include <string>

#include "socket/socket_watch.hpp"
#include "system_line.hpp"

namespace sluice::serial {

// A line of the system: our own descriptor, watched by uv_poll, because a libuv stream that is paused does not hear that the device goes.
class posix_serial final : public device {
 public:
  posix_serial(loop& owner, std::string path) : loop_(owner), path_(std::move(path)) {}
  ~posix_serial() override;

  void open(const open_settings& wanted, open_handler done) override;
  void close(std::function<void()> done) override;
  result<settings> configure(const settings& wanted) override { return line_.configure(wanted); }
  void set_listener(device_listener* told) noexcept override { listener_ = told; }
  void watch(interest what) override;
  io_result read(mutable_bytes into) override;
  io_result write(std::span<const const_bytes> parts) override;
  result<output_state> output() override;
  std::error_code discard(direction which) override;
  std::error_code set_break(bool on) override;
  result<modem_lines> lines() override;
  std::error_code set_lines(line_level dtr, line_level rts) override;
  result<line_counters> counters() override;
  std::string name() const override { return path_; }
  int native_handle() const noexcept override { return line_.get(); }

 private:
  static void on_event(void* self, int status, int events);
  void tell_gone(std::error_code why);
  io_result read_nothing();

  loop& loop_;
  std::string path_;
  executor_job opening_;
  system_line line_;
  detail::socket_watch watch_;
  bool watches_ = false;
  interest watched_ = interest::none;
  device_listener* listener_ = nullptr;
};

}  // namespace sluice::serial
