#pragma once

#include <sluice/deferred_call.hpp>
#include <sluice/serial.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/timer.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "line_watch.hpp"
#include "marked_reader.hpp"
#include "output_waits.hpp"
#include "packet_collector.hpp"
#include "software_bus.hpp"
#include "timing/precise_timer.hpp"

namespace sluice::serial {

// Its answer to a question that layers pass down, too.
struct port_access {
  channel* value;
};

// Empty if `line` carries every byte.
std::string reserved_on(const settings& line, bool forced);
std::string why_not_every_byte();

inline bool makes_packets(const options& wanted) noexcept { return wanted.silence.count() > 0 || wanted.packet_time.count() > 0; }

// The channel over an open serial device. What is more than bytes is asked for through `line_control`.
class channel final : public stream_transport, private device_listener {
 public:
  channel(sluice::scheduler& owner, std::unique_ptr<device> line, opened found, const serial::options& wanted);
  ~channel() override = default;

  void configure(const settings& wanted, apply when, std::function<void(result<settings>)> done);
  void drain(duration deadline, std::function<void(std::error_code, std::size_t)> done);
  std::error_code discard(direction which);
  void send_break(duration length, std::function<void(std::error_code)> done);
  std::error_code watch_lines(std::function<void(const lines_changed&)> told, duration interval);
  result<line_counters> counters_since_opening() const;
  void watch_input(std::function<void(const input_error&)> told) { input_error_told_ = std::move(told); }
  marked_input_counters input_errors() const noexcept { return marks_ ? marks_->counters() : marked_input_counters(); }
  std::optional<output_block> blocked() const;
  time_point last_received() const noexcept { return received_at_; }
  const opened& found() const noexcept { return found_; }
  // Null once nothing may be asked of it.
  device* usable_device() const noexcept { return is_closing() ? nullptr : device_.get(); }

 private:
  void start_reading() override;
  void stop_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  progress begin_close(close_kind kind) override;
  std::chrono::milliseconds close_time() const noexcept override;
  progress release() override;
  void describe(info_query& query) const override;

  void ready(interest what) override;
  void gone(std::error_code why) override;

  void read_more();
  bool read_once(std::size_t& budget);
  bool read_marked(std::size_t& budget);
  void deliver_marked();
  void tell_input_error(const input_error& found);
  void collect(std::size_t n);
  time_point after_last_byte(std::chrono::nanoseconds span) const noexcept;
  void deliver_packet();
  void packet_is_over();
  void watch_what_is_wanted();

  std::uint64_t sendable() const noexcept;
  bool waits_for_dsr();
  void took(std::size_t bytes);
  void try_again();
  bool paces() const noexcept { return wanted_.byte_pause.count() > 0; }
  std::error_code note_failure(std::error_code error, const char* where) noexcept;
  void device_failed(std::error_code error, const char* where);

  output_waits& waits();
  output_waits::remaining left_before(std::uint64_t place) const;
  std::uint64_t end_of_output() const noexcept { return counters().bytes_sent + get_write_buffer_size(); }
  void cancel_waits() noexcept;
  static shared_stream_options stream_options_for(const serial::options& wanted, const settings& line);
  static settings with_ours(settings got, const settings& asked);  // with the parts that no driver knows
  result<settings> apply_now(const settings& wanted);
  void settings_changed();
  void make_bus();
  void make_marks();
  double seconds_of_breaks() const noexcept;
  void begin_break(std::error_code error, duration length, const std::function<void(std::error_code)>& done);
  void end_break();
  void post(std::function<void()> call);

  std::unique_ptr<device> device_;
  opened found_;
  serial::options wanted_;
  settings asked_;
  std::unique_ptr<packet_collector> packet_;  // where packets are wanted
  std::unique_ptr<marked_reader> marks_;      // where errors are marked
  std::function<void(const input_error&)> input_error_told_;
  std::optional<detail::precise_timer> packet_end_;
  std::optional<detail::precise_timer> pace_;
  std::unique_ptr<output_waits> waits_;
  std::unique_ptr<software_bus> bus_;  // where we switch the transceiver
  std::unique_ptr<line_watch> line_watch_;
  std::optional<line_counters> counters_at_opening_;
  std::optional<failure> failure_;
  std::chrono::milliseconds chosen_close_timeout_;  // by us: where the options have another one it is the user's
  timer retry_;                                     // while the other end holds us up by DSR
  timer break_;
  deferred_call next_turn_;  // for what is left in marks_
  std::function<void(std::error_code)> break_done_;
  time_point received_at_{};
  time_point packet_ends_by_{};             // however much comes
  time_point idle_at_ = time_point::min();  // when the wire is done with what the driver took, at the earliest
  time_point blocked_since_{};
  output_block::reason block_ = output_block::reason::driver;
  bool blocked_ = false;
  bool breaking_ = false;
};

}  // namespace sluice::serial
