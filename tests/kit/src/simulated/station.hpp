#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sluice/testing/simulated_line.hpp>
#include <sluice/timer.hpp>

#include "receiver.hpp"

namespace sluice::testing::detail {

class simulated_wires;

// One interface with its driver: what is behind a `simulated_port`, and what its devices talk to.
class simulated_station : public std::enable_shared_from_this<simulated_station> {
 public:
  // What a program has while it holds the interface open.
  struct opening {
    serial::device_listener* listener = nullptr;
    serial::interest watched = serial::interest::none;
  };

  simulated_station(simulated_wires& wires, simulated_interface hardware, scheduler& owner, seeded_numbers& noise);

  // --- from outside
  simulated_wires& wires() const noexcept { return wires_; }
  const simulated_interface& hardware() const noexcept { return hardware_; }
  const std::string& name() const noexcept { return name_; }
  bool is_plugged() const noexcept { return !name_.empty(); }
  bool is_open() const noexcept { return opening_ != nullptr; }
  const serial::settings& line() const noexcept { return line_; }
  const serial::modem_lines& lines() const noexcept { return lines_; }
  const serial::line_counters& counters() const noexcept { return counters_; }
  void plug_in(std::string name);
  void unplug();
  void hold_interrupts(bool on);
  void damage_next(serial::line_error how, std::size_t characters) noexcept { receiver_.damage_next(how, characters); }
  void fail(simulated_call which, std::error_code error, std::size_t times);
  void set_ring(bool on);
  void wires_end();

  // --- from the wires
  receiver& ears() noexcept { return receiver_; }
  void heard_together(std::span<const std::byte> characters);
  bool drives() const noexcept;
  bool hears(const simulated_station& sender) const noexcept;
  void set_inputs(bool cts, bool dsr, bool carrier);

  // --- from a device; `fault` is to be asked before all but the first four
  result<std::shared_ptr<opening>> begin(const serial::open_settings& wanted, serial::opened& found);
  // What waits is dropped, and nothing is told any more; the port is free once it is ended.
  void drop(const std::shared_ptr<opening>& which);
  void end(const std::shared_ptr<opening>& which);
  void watch(const std::shared_ptr<opening>& which, serial::interest what);
  std::error_code fault(const std::shared_ptr<opening>& by, simulated_call call) noexcept;
  result<serial::settings> configure(const serial::settings& wanted);
  std::size_t read(mutable_bytes into);
  std::size_t write(std::span<const const_bytes> parts);
  serial::output_state output() const noexcept;
  void discard(serial::direction which);
  void set_break(bool on);
  void set_lines(serial::line_level dtr, serial::line_level rts);

 private:
  struct failure {
    std::error_code error;
    std::size_t times = 0;
  };
  // Whose turn it is on a bus where the driver switches the transceiver.
  enum class turn : std::uint8_t {
    receiving,
    switching,
    sending,
    leaving
  };
  std::error_code scripted(simulated_call call) noexcept;
  void stop_clocks() noexcept;
  void consider();
  void tell_ready();
  void hang_up();
  unsigned ready_for() const noexcept;
  void heard(receiver::character what);
  void serve_input();
  void take(const receiver::character& what);
  void keep(std::span<const std::byte> bytes);
  void count(serial::line_error error) noexcept;
  void throttle();
  void fill_transmit_fifo();
  void serve_output();
  bool may_send() const noexcept;
  bool has_turn();
  void send_next();
  bool send_at_once();
  void sent();
  void turn_passed();
  void set_outputs(bool dtr, bool rts);
  bool driver_switches() const noexcept;

  simulated_wires& wires_;
  simulated_interface hardware_;
  scheduler& owner_;
  std::string name_;
  std::shared_ptr<opening> opening_;
  bool dead_ = false;  // it was unplugged, or the line has hung up
  serial::open_settings opened_with_;
  serial::settings line_;
  serial::settings found_;
  serial::modem_lines lines_;
  bool dtr_ = false;  // as they were asked for
  bool rts_ = false;
  bool throttled_ = false;
  serial::line_counters counters_;
  std::array<failure, 11> failures_;
  bool posted_ = false;
  bool interrupts_held_ = false;

  receiver receiver_;
  duration latency_{};
  std::deque<receiver::character> receive_fifo_;
  std::deque<std::byte> input_;
  std::deque<std::byte> output_;
  std::deque<std::byte> transmit_fifo_;
  std::optional<std::byte> flow_character_;
  bool stopped_ = false;  // by XOFF
  std::vector<std::byte> leaving_together_;
  bool sending_ = false;
  bool in_break_ = false;
  turn turn_ = turn::receiving;
  timer clump_;
  timer character_;
  timer turn_timer_;
  timer mark_;  // behind a break
};

}  // namespace sluice::testing::detail
