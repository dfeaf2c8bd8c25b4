#pragma once

#include <memory>
#include <string>

#include "wires.hpp"

namespace sluice::testing::detail {

// One opening of whatever has a name at that moment.
class simulated_device final : public serial::device {
 public:
  simulated_device(std::shared_ptr<simulated_wires> wires, std::string name);
  ~simulated_device() override;

  void open(const serial::open_settings& wanted, open_handler done) override;
  void close(std::function<void()> done) override;
  result<serial::settings> configure(const serial::settings& wanted) override;
  void set_listener(serial::device_listener* told) noexcept override;
  void watch(serial::interest what) override;
  serial::io_result read(mutable_bytes into) override;
  serial::io_result write(std::span<const const_bytes> parts) override;
  result<serial::output_state> output() override;
  std::error_code discard(serial::direction which) override;
  std::error_code set_break(bool on) override;
  result<serial::modem_lines> lines() override;
  std::error_code set_lines(serial::line_level dtr, serial::line_level rts) override;
  result<serial::line_counters> counters() override;
  std::string name() const override { return name_; }

 private:
  void open_now(const serial::open_settings& wanted, const open_handler& done);
  std::error_code fault(simulated_call call) noexcept;

  std::shared_ptr<simulated_wires> wires_;
  std::string name_;
  std::string held_name_;  // of the interface, since it was opened
  std::shared_ptr<simulated_station> station_;
  std::shared_ptr<simulated_station::opening> opening_;
  std::shared_ptr<bool> wanted_ = std::make_shared<bool>(true);  // false once nobody waits for the opening
};

}  // namespace sluice::testing::detail
