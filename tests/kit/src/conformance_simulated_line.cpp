#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <sluice/serial.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/simulated_line.hpp>
#include <sluice/testing/transport_conformance.hpp>
#include <sluice/timer.hpp>

namespace sluice::testing {
namespace {

constexpr std::size_t most_steps = 100'000'000;                   // each character is two
constexpr duration look_interval = std::chrono::milliseconds(1);  // longer than anything stays in an interface

serial::options fast_line() {
  serial::options settings;
  settings.line.baud = 12'000'000;
  settings.line.flow = serial::flow::rts_cts;          // as no byte may be lost
  settings.write_time = std::chrono::milliseconds(0);  // the marks that every transport has
  settings.close_timeout = stream_options().close_timeout;
  return settings;
}

// The far end of a line: takes the fall of the carrier, behind what came before it, for the end, which lines have none of.
class far_channel final : public stream_transport, private serial::device_listener {
 public:
  far_channel(sluice::scheduler& owner, std::unique_ptr<serial::device> line)
      : stream_transport(owner), device_(std::move(line)), look_(owner, [this] { look(); }) {
    device_->set_listener(this);
    look_.start(look_interval);
  }

 private:
  void start_reading() override { watch(); }
  void stop_reading() override {}
  send_result send(std::span<const const_bytes> parts) override {
    const serial::io_result sent = device_->write(parts);
    if (sent.error) return sent.error;
    return sent.bytes;
  }
  void send_later(std::span<const const_bytes>) override { watch(); }
  progress begin_close(close_kind kind) override {
    closing_ = kind == close_kind::graceful;
    return closing_ ? progress::pending : progress::done;
  }
  progress release() override {
    look_.stop();
    device_->close([this] { released(); });
    return progress::pending;
  }

  void ready(serial::interest what) override {
    if (wants_input() && what != serial::interest::output) read();
    if (has_queued_output() && what != serial::interest::input) ready_to_send();
    watch();
  }
  void gone(std::error_code why) override { failed(why); }

  std::size_t read() {
    const mutable_bytes room = receive_buffer();
    if (room.empty()) return 0;
    const std::size_t n = device_->read(room).bytes;
    if (n != 0) received(n);
    return n;
  }
  void watch() {
    const bool in = wants_input();
    device_->watch(has_queued_output() ? in ? serial::interest::both : serial::interest::output
                   : in                ? serial::interest::input
                                       : serial::interest::none);
  }
  void look() {
    look_.start(look_interval);
    if (closing_ && is_empty_for_long()) return closed();
    const auto lines = device_->lines();
    if (!lines) return;
    const bool had_carrier = device_->counters()->carrier_changes != 0;
    if (had_carrier && !lines->carrier && wants_input() && read() == 0 && wants_input()) received_eof();
  }
  // The other end has had the time to take the last byte out of its interface.
  bool is_empty_for_long() {
    const auto left = device_->output();
    const bool is_empty = !left || (left->queued == 0 && left->transmitter_empty);
    return is_empty && std::exchange(was_empty_, is_empty);
  }

  std::unique_ptr<serial::device> device_;
  bool closing_ = false;
  bool was_empty_ = false;
  timer look_;
};

class simulated_fixture final : public transport_fixture {
 public:
  simulated_fixture() { scheduler_.set_step_limit(most_steps); }

  manual_scheduler& scheduler() override { return scheduler_; }
  bool run_until(const std::function<bool()>& done) override { return scheduler_.run_until(done); }

  // The far end is there first, so that nothing of the near end's comes too early.
  void connect(protocol_ptr near, protocol_ptr far) override {
    auto& cable = *cables_.emplace_back(std::make_unique<simulated_line>(scheduler_));
    simulated_interface quiet = interface();
    quiet.hangs_up_with_carrier = false;
    const auto there = std::make_shared<std::unique_ptr<serial::device>>(cable.add(quiet).device());
    near_ = &cable.add(interface());
    const auto upper = std::make_shared<protocol_ptr>(std::move(far));
    (*there)->open(fast_line(), [this, there, upper](const result<serial::opened>&) {
      stream_transport::start(std::make_unique<far_channel>(scheduler_, std::move(*there)), std::move(*upper));
    });
    auto give = [given = std::make_shared<protocol_ptr>(std::move(near))] { return std::move(*given); };
    auto told = [this](const result<transport&>& outcome) { completion_ = outcome.error(); };
    attempts_.push_back(serial::open(scheduler_, near_->device(), std::move(give), told, fast_line()));
  }
  std::optional<std::error_code> completion() const override { return completion_; }
  bool fail_writes() override {
    near_->fail(simulated_call::write, make_error_code(std::errc::io_error), most_steps);
    return true;
  }

 private:
  static simulated_interface interface() {
    return {.receive_fifo = 256,
            .transmit_fifo = 64,
            .latency = std::chrono::microseconds(100),
            .clump = 64,
            .characters_at_once = 64,
            .hangs_up_with_carrier = true};
  }

  manual_scheduler scheduler_;
  std::vector<std::unique_ptr<simulated_line>> cables_;
  std::vector<connecting> attempts_;
  simulated_port* near_ = nullptr;
  std::optional<std::error_code> completion_;
};

}  // namespace

transport_under_test over_simulated_line() {
  return {"simulated line", {.half_close = false, .reset = false, .end_of_input = false, .completion = true}, [] {
            return std::make_unique<simulated_fixture>();
          }};
}

}  // namespace sluice::testing
