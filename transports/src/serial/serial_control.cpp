#include <sluice/detail/time_span.hpp>
#include <sluice/error.hpp>

#include <algorithm>
#include <utility>

#include "serial_channel.hpp"

// What a port can do beyond a transport.

namespace sluice::serial {
namespace {

constexpr std::size_t driver_memory = 4096;  // what drivers of Linux keep for output, or nearly
constexpr auto shortest_close = std::chrono::seconds(1);

using seconds = std::chrono::duration<double>;
constexpr seconds longest_close = std::chrono::hours(24 * 365);

std::chrono::milliseconds close_timeout_of(const options& wanted, const settings& line, const watermarks& marks) {
  if (wanted.close_timeout.count() > 0) return wanted.close_timeout;
  const auto twice = 2 * wire_time(line, marks.high + driver_memory);
  return std::max<std::chrono::milliseconds>(shortest_close, std::chrono::ceil<std::chrono::milliseconds>(twice));
}

watermarks marks_of(const options& wanted, const settings& line) {
  watermarks marks = wanted.stream.write_buffer;
  if (wanted.write_time.count() <= 0) return marks;
  const std::size_t in_time = speed_of(line).bytes_in(wanted.write_time);
  if (in_time < marks.high) marks = {std::min(marks.low, in_time / 4), in_time};
  return marks;
}

}  // namespace

// START and STOP, which no terminal calls anything else.
std::string reserved_on(const settings& line, bool forced) {
  return line.flow == flow::xon_xoff && !forced ? std::string("\x11\x13") : std::string();
}

std::string why_not_every_byte() {
  return "flow control by XON/XOFF takes 0x11 and 0x13 out of the data, and the protocol needs every byte; flow control by RTS/CTS, or "
         "force_xon_xoff for data in which they are escaped, would be right";
}

settings channel::with_ours(settings got, const settings& asked) {
  if (asked.flow == flow::dtr_dsr && got.flow == flow::none) got.flow = asked.flow;
  if (asked.rs485.switch_in_software) got.rs485 = asked.rs485;
  return got;
}

shared_stream_options channel::stream_options_for(const serial::options& wanted, const settings& line) {
  stream_options made = wanted.stream;
  made.write_buffer = marks_of(wanted, line);
  made.close_timeout = close_timeout_of(wanted, line, made.write_buffer);
  return shared_stream_options::make(made);
}

// Marks and deadlines in line time follow the speed; what else the user has set meanwhile stays.
void channel::settings_changed() {
  stream_options changed = options();
  changed.write_buffer = marks_of(wanted_, found_.line);
  const auto chosen = close_timeout_of(wanted_, found_.line, changed.write_buffer);
  if (changed.close_timeout == std::exchange(chosen_close_timeout_, chosen)) changed.close_timeout = chosen;
  set_options(changed);
  make_bus();
  make_marks();
}

// What is left may be far more than the high mark, or nothing. A driver that does not say what it holds may hold all that it can.
std::chrono::milliseconds channel::close_time() const noexcept {
  if (wanted_.close_timeout.count() > 0 || options().close_timeout != chosen_close_timeout_) return options().close_timeout;
  const auto state = device_->output();
  const std::size_t here = get_write_buffer_size();
  const auto left = static_cast<double>(here + (state ? state->queued : driver_memory));
  const seconds pauses = seconds(wanted_.byte_pause) * static_cast<double>(here);
  const seconds twice = 2 * (seconds(left / speed_of(found_.line).bytes_per_second + seconds_of_breaks()) + pauses);
  return std::max<std::chrono::milliseconds>(shortest_close, std::chrono::ceil<std::chrono::milliseconds>(std::min(twice, longest_close)));
}

// The one that is being sent and those that wait for their places: what is queued behind them cannot leave before.
double channel::seconds_of_breaks() const noexcept {
  const double waiting = waits_ ? waits_->seconds_held() : 0;
  return breaking_ ? waiting + seconds(break_.deadline() - scheduler().now()).count() : waiting;
}

// What was read under the old settings keeps its marks until it is taken out.
void channel::make_marks() {
  if (asked_.mark_errors && !marks_) marks_ = std::make_unique<marked_reader>(wanted_.errors);
  if (marks_) marks_->follow(asked_);
}

void channel::make_bus() {
  bus_.reset();
  if (!asked_.rs485.enabled || !asked_.rs485.switch_in_software) return;
  bus_ = std::make_unique<software_bus>(
      scheduler(), *device_, asked_.rs485, [this] { return !has_queued_output() && left_before(counters().bytes_sent).bytes == 0; },
      [this] { try_again(); });
}

// A call of the user's in a turn of its own, whatever has become of this channel by then.
void channel::post(std::function<void()> call) {
  scheduler().call_soon([call = std::move(call)] { call(); });
}

output_waits& channel::waits() {
  if (!waits_) waits_ = std::make_unique<output_waits>(scheduler(), [this](std::uint64_t place) { return left_before(place); });
  return *waits_;
}

output_waits::remaining channel::left_before(std::uint64_t place) const {
  const std::uint64_t sent = counters().bytes_sent;
  const std::size_t here = static_cast<std::size_t>(place - std::min(place, sent));
  const auto state = device_->output();
  if (!state) return {here, state.error(), {}};
  std::size_t left = here + state->queued;
  const bool wire_is_busy = !found_.pretends && scheduler().now() < idle_at_;
  if (left == 0 && (!state->transmitter_empty || wire_is_busy)) left = 1;
  return {left, {}, wire_time(found_.line, left) / 2};
}

void channel::drain(duration deadline, std::function<void(std::error_code, std::size_t)> done) {
  flush();
  waits().add(end_of_output(), scheduler().now() + deadline, std::move(done));
}

std::error_code channel::discard(direction which) {
  if (which != direction::input) {
    discard_output();
    if (waits_) waits_->output_discarded(counters().bytes_sent);
  }
  if (which != direction::output) {
    if (marks_) marks_->restart();
    if (packet_) packet_->take();
  }
  return device_->discard(which);
}

result<settings> channel::apply_now(const settings& wanted) {
  if (std::string fault = find_fault(wanted); !fault.empty()) return {errc::bad_settings, std::move(fault)};
  if (protocol_needs_every_byte() && !reserved_on(wanted, wanted_.force_xon_xoff).empty())
    return {make_error_code(sluice::errc::bytes_reserved), device_->name() + ": " + why_not_every_byte()};
  auto got = device_->configure(wanted);
  if (!got) return got;
  if (const std::string deviation = describe_deviation(wanted, *got); !deviation.empty() && wanted_.strict && !found_.pretends) {
    device_->configure(asked_);
    return {errc::settings_refused, device_->name() + ": " + deviation};
  }
  asked_ = wanted;
  found_.line = with_ours(*got, asked_);
  settings_changed();
  return found_.line;
}

void channel::configure(const settings& wanted, apply when, std::function<void(result<settings>)> done) {
  const auto tell = [this, done = std::move(done)](const result<settings>& outcome) {
    if (done) post([done, outcome] { done(outcome); });
  };
  switch (when) {
    case apply::discard_output: discard(direction::output); [[fallthrough]];
    case apply::now: tell(apply_now(wanted)); return;
    case apply::after_output: break;
  }
  flush();
  waits().add_hold(end_of_output(), time_point::max(), [this, wanted, tell](std::error_code error, std::size_t) {
    if (error) {
      tell({error, {}});
      if (error == sluice::errc::cancelled) return;
    } else {
      tell(apply_now(wanted));
    }
    waits_->end_hold();
    try_again();
  });
}

void channel::send_break(duration length, std::function<void(std::error_code)> done) {
  flush();
  waits().add_hold(
      end_of_output(), time_point::max(),
      [this, length, done = std::move(done)](std::error_code error, std::size_t) { begin_break(error, length, done); },
      detail::bounded(length));
}

void channel::begin_break(std::error_code error, duration length, const std::function<void(std::error_code)>& done) {
  if (!error) error = device_->set_break(true);
  if (!error) {
    breaking_ = true;
    break_done_ = done;
    break_.start(length);
    return;
  }
  if (done) post([done, error] { done(error); });
  if (error == sluice::errc::cancelled) return;
  waits_->end_hold();
  try_again();
}

// Also when the line closes in the middle of it.
void channel::end_break() {
  const bool complete = std::exchange(breaking_, false);
  break_.stop();
  std::error_code error = device_->set_break(false);
  if (!complete) error = make_error_code(sluice::errc::cancelled);
  if (const auto done = std::exchange(break_done_, nullptr)) post([done, error] { done(error); });
  if (!complete) return;
  waits_->end_hold();
  try_again();
}

std::error_code channel::watch_lines(std::function<void(const lines_changed&)> told, duration interval) {
  if (!line_watch_) line_watch_ = std::make_unique<line_watch>(scheduler(), *device_);
  return line_watch_->subscribe(std::move(told), interval);
}

result<line_counters> channel::counters_since_opening() const {
  auto now = device_->counters();
  if (now && counters_at_opening_) *now = *now - *counters_at_opening_;
  return now;
}

}  // namespace sluice::serial
