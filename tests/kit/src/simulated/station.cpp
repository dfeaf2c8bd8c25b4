#include "station.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sluice/error.hpp>

#include "wires.hpp"

namespace sluice::testing::detail {
namespace {

constexpr duration low_latency = std::chrono::milliseconds(1);  // what drivers make of it
constexpr std::byte xon{0x11};
constexpr std::byte xoff{0x13};

bool has(serial::interest in, serial::interest what) noexcept { return (unsigned(in) & unsigned(what)) != 0; }

void change(bool& level, bool now, std::uint32_t& count) noexcept {
  if (level == now) return;
  level = now;
  ++count;
}

}  // namespace

simulated_station::simulated_station(simulated_wires& wires, simulated_interface hardware, scheduler& owner, seeded_numbers& noise)
    : wires_(wires),
      hardware_(std::move(hardware)),
      owner_(owner),
      receiver_(owner, noise, hardware_.one_bad_bit_in, [this](receiver::character what) { heard(what); }),
      clump_(owner, [this] { serve_input(); }),
      character_(owner, [this] { sent(); }),
      turn_timer_(owner, [this] { turn_passed(); }),
      mark_(owner, [this] { serve_output(); }) {}

// --- the plug

// To whoever still holds it, it is not what it was.
void simulated_station::plug_in(std::string name) {
  name_ = std::move(name);
  opening_.reset();
  counters_ = {};
  wires_.lines_changed(*this);
}

void simulated_station::unplug() {
  if (!is_plugged()) return;
  if (in_break_) set_break(false);
  name_.clear();
  set_outputs(false, false);
  hang_up();
}

void simulated_station::wires_end() {
  name_.clear();
  hang_up();
}

void simulated_station::stop_clocks() noexcept {
  for (timer* each : {&clump_, &character_, &turn_timer_, &mark_}) each->stop();
  receiver_.stop();
}

// Nothing that was on its way arrives; whoever holds it open is told, and all calls fail.
void simulated_station::hang_up() {
  dead_ = true;
  stop_clocks();
  discard(serial::direction::both);
  transmit_fifo_.clear();
  leaving_together_.clear();
  flow_character_.reset();
  sending_ = stopped_ = throttled_ = false;
  turn_ = turn::receiving;
  owner_.call_soon([which = opening_] {
    if (which == nullptr) return;
    if (auto* const told = std::exchange(which->listener, nullptr)) told->gone(system_error(EIO));
  });
}

void simulated_station::hold_interrupts(bool on) {
  interrupts_held_ = on;
  if (on) return;
  serve_input();
  serve_output();
}

void simulated_station::fail(simulated_call which, std::error_code error, std::size_t times) {
  failures_[static_cast<std::size_t>(which)] = {error, times};
}

std::error_code simulated_station::fault(const std::shared_ptr<opening>& by, simulated_call call) noexcept {
  return dead_ || opening_ != by ? system_error(EIO) : scripted(call);
}

std::error_code simulated_station::scripted(simulated_call call) noexcept {
  failure& next = failures_[static_cast<std::size_t>(call)];
  if (next.times == 0) return {};
  --next.times;
  return next.error;
}

// --- opening and closing

result<std::shared_ptr<simulated_station::opening>> simulated_station::begin(const serial::open_settings& wanted, serial::opened& found) {
  if (is_open()) return {serial::errc::port_busy, name_ + ": " + make_error_code(serial::errc::port_busy).message()};
  if (const std::error_code error = scripted(simulated_call::open)) return {error, name_ + ": " + error.message()};
  found_ = line_;
  dead_ = false;
  const auto taken = configure(wanted.line);
  if (!taken) return {taken.error(), name_ + ": " + taken.detail()};
  opening_ = std::make_shared<opening>();
  opened_with_ = wanted;
  found.line = *taken;
  found.driver = hardware_.driver;
  latency_ = hardware_.latency;
  if (wanted.low_latency) found.low_latency = scripted(simulated_call::low_latency);
  if (wanted.low_latency && !found.low_latency) latency_ = std::min(latency_, low_latency);
  if (latency_ > duration::zero()) found.latency_timer = std::chrono::ceil<std::chrono::milliseconds>(latency_);
  receiver_.start(line_);
  set_outputs(true, driver_switches() ? line_.rs485.rts_after_send : true);
  set_lines(wanted.dtr, wanted.rts);
  return opening_;
}

void simulated_station::drop(const std::shared_ptr<opening>& which) {
  which->listener = nullptr;
  if (opening_ != which || dead_) return;
  if (in_break_) set_break(false);
  receiver_.stop();
  clump_.stop();
  discard(serial::direction::both);
  transmit_fifo_.clear();
  flow_character_.reset();
  if (opened_with_.restore_on_close) line_ = found_;
  if (opened_with_.hang_up_on_close) set_outputs(false, false);
}

void simulated_station::end(const std::shared_ptr<opening>& which) {
  if (opening_ == which) opening_ = nullptr;
}

result<serial::settings> simulated_station::configure(const serial::settings& wanted) {
  const bool by_driver = wanted.rs485.enabled && !wanted.rs485.switch_in_software;
  if (by_driver && !hardware_.switches_transceiver)
    return {serial::errc::rs485_not_supported, "the driver " + hardware_.driver + " cannot switch an RS-485 transceiver"};
  line_ = hardware_.takes ? hardware_.takes(wanted) : wanted;
  if (line_.flow == serial::flow::dtr_dsr) line_.flow = serial::flow::none;
  if (!by_driver) line_.rs485 = {};
  receiver_.configure(line_);
  stopped_ = stopped_ && line_.flow == serial::flow::xon_xoff;
  if (!driver_switches()) turn_ = turn::receiving;
  if (is_open()) set_outputs(dtr_, driver_switches() && turn_ == turn::receiving ? line_.rs485.rts_after_send : rts_);
  serve_output();
  return line_;
}

// --- the listener

void simulated_station::watch(const std::shared_ptr<opening>& which, serial::interest what) {
  which->watched = what;
  if (opening_ == which) consider();
}

unsigned simulated_station::ready_for() const noexcept {
  constexpr std::size_t few = 256;  // what Linux lets the queue fall to before it tells
  if (dead_ || opening_ == nullptr || opening_->listener == nullptr) return 0;
  unsigned ready = 0;
  if (has(opening_->watched, serial::interest::input) && !input_.empty()) ready |= unsigned(serial::interest::input);
  if (has(opening_->watched, serial::interest::output) && output_.size() < std::min(few, hardware_.output_queue))
    ready |= unsigned(serial::interest::output);
  return ready;
}

void simulated_station::consider() {
  if (posted_ || ready_for() == 0) return;
  posted_ = true;
  owner_.call_soon([self = shared_from_this()] { self->tell_ready(); });
}

void simulated_station::tell_ready() {
  posted_ = false;
  const unsigned ready = ready_for();
  if (ready == 0) return;
  opening_->listener->ready(static_cast<serial::interest>(ready));
  consider();
}

// --- input

void simulated_station::heard(receiver::character what) {
  ++counters_.received;
  if (receive_fifo_.size() >= hardware_.receive_fifo && (interrupts_held_ || latency_ > duration::zero())) {
    ++counters_.overruns;
    return;
  }
  receive_fifo_.push_back(what);
  if (latency_ <= duration::zero() || receive_fifo_.size() >= std::min(hardware_.clump, hardware_.receive_fifo))
    serve_input();
  else if (!clump_.is_running())
    clump_.start(latency_);
}

void simulated_station::heard_together(std::span<const std::byte> characters) {
  for (const std::byte each : characters) heard({each, {}});
}

void simulated_station::serve_input() {
  if (interrupts_held_) return;
  clump_.stop();
  for (; !receive_fifo_.empty(); receive_fifo_.pop_front()) take(receive_fifo_.front());
  throttle();
  consider();
}

void simulated_station::count(serial::line_error error) noexcept {
  switch (error) {
    case serial::line_error::parity: ++counters_.parity_errors; break;
    case serial::line_error::framing: ++counters_.framing_errors; break;
    case serial::line_error::line_break: ++counters_.breaks; break;
    case serial::line_error::unknown: break;
  }
}

// As the line discipline writes it down: see `marked_input_decoder`.
void simulated_station::take(const receiver::character& what) {
  constexpr std::byte mark{0xff};
  if (what.error) count(*what.error);
  if (line_.flow == serial::flow::xon_xoff && !what.error && (what.value == xon || what.value == xoff)) {
    stopped_ = what.value == xoff;
    return serve_output();
  }
  if (what.error && line_.mark_errors) return keep(std::array{mark, std::byte{0}, what.value});
  if (what.value == mark && line_.mark_errors) return keep(std::array{mark, mark});
  keep(std::array{what.value});
}

void simulated_station::keep(std::span<const std::byte> bytes) {
  if (input_.size() + bytes.size() > hardware_.input_queue) {
    ++counters_.buffer_overruns;
    return;
  }
  input_.insert(input_.end(), bytes.begin(), bytes.end());
}

// The other end stops within the quarter that is left.
void simulated_station::throttle() {
  const bool full = input_.size() > hardware_.input_queue - hardware_.input_queue / 4;
  const bool empty = input_.size() <= hardware_.input_queue / 4;
  if (throttled_ ? !empty : !full) return;
  if (line_.flow == serial::flow::none && !throttled_) return;
  throttled_ = !throttled_;
  if (line_.flow == serial::flow::xon_xoff) flow_character_ = throttled_ ? xoff : xon;
  if (line_.flow == serial::flow::rts_cts) set_outputs(dtr_, rts_);
  serve_output();
}

std::size_t simulated_station::read(mutable_bytes into) {
  const std::size_t n = std::min({into.size(), input_.size(), hardware_.most_per_read});
  const auto end = input_.begin() + static_cast<std::ptrdiff_t>(n);
  std::copy(input_.begin(), end, into.begin());
  input_.erase(input_.begin(), end);
  throttle();
  return n;
}

// --- output

std::size_t simulated_station::write(std::span<const const_bytes> parts) {
  std::size_t room = std::min(hardware_.output_queue - output_.size(), hardware_.most_per_write);
  std::size_t taken = 0;
  for (const const_bytes part : parts) {
    const const_bytes fits = part.first(std::min(part.size(), room));
    output_.insert(output_.end(), fits.begin(), fits.end());
    room -= fits.size();
    taken += fits.size();
  }
  serve_output();
  return taken;
}

serial::output_state simulated_station::output() const noexcept { return {output_.size(), transmit_fifo_.empty() && !sending_}; }

// What the interface itself holds leaves all the same.
void simulated_station::discard(serial::direction which) {
  if (which != serial::direction::input) output_.clear();
  if (which == serial::direction::output) return;
  receive_fifo_.clear();
  input_.clear();
  if (!dead_) throttle();
}

bool simulated_station::may_send() const noexcept {
  if (dead_ || sending_ || in_break_ || mark_.is_running()) return false;
  if (flow_character_) return true;
  if (transmit_fifo_.empty() || stopped_) return false;
  return line_.flow != serial::flow::rts_cts || lines_.cts;
}

void simulated_station::fill_transmit_fifo() {
  if (interrupts_held_ || !transmit_fifo_.empty()) return;
  const auto end = output_.begin() + static_cast<std::ptrdiff_t>(std::min(output_.size(), hardware_.transmit_fifo));
  transmit_fifo_.assign(output_.begin(), end);
  output_.erase(output_.begin(), end);
}

void simulated_station::serve_output() {
  fill_transmit_fifo();
  if (may_send() && has_turn()) send_next();
}

bool simulated_station::driver_switches() const noexcept { return line_.rs485.enabled && !line_.rs485.switch_in_software; }

bool simulated_station::has_turn() {
  if (!driver_switches()) return true;
  switch (turn_) {
    case turn::receiving:
      turn_ = turn::switching;
      set_outputs(dtr_, line_.rs485.rts_on_send);
      turn_timer_.start(line_.rs485.delay_before_send);
      return false;
    case turn::switching: return false;
    case turn::leaving:
      turn_timer_.stop();
      turn_ = turn::sending;
      return true;
    case turn::sending: return true;
  }
  return true;
}

bool simulated_station::send_at_once() {
  const std::size_t n = std::min(hardware_.characters_at_once, transmit_fifo_.size());
  if (n < 2 || flow_character_ || driver_switches() || !wires_.carries_at_once(*this)) return false;
  const auto end = transmit_fifo_.begin() + static_cast<std::ptrdiff_t>(n);
  leaving_together_.assign(transmit_fifo_.begin(), end);
  transmit_fifo_.erase(transmit_fifo_.begin(), end);
  sending_ = true;
  character_.start(serial::wire_time(line_, n));
  fill_transmit_fifo();
  consider();
  return true;
}

void simulated_station::send_next() {
  if (send_at_once()) return;
  std::byte value{};
  if (flow_character_) {
    value = *std::exchange(flow_character_, std::nullopt);
  } else {
    value = transmit_fifo_.front();
    transmit_fifo_.pop_front();
  }
  sending_ = true;
  character_.start(serial::character_time(line_));
  wires_.sends(*this, value, line_);
  fill_transmit_fifo();
  consider();
}

void simulated_station::sent() {
  sending_ = false;
  counters_.sent += leaving_together_.empty() ? 1 : static_cast<std::uint32_t>(leaving_together_.size());
  if (!leaving_together_.empty()) wires_.bring(*this, std::exchange(leaving_together_, {}));
  serve_output();
  if (!sending_ && turn_ == turn::sending) {
    turn_ = turn::leaving;
    turn_timer_.start(line_.rs485.delay_after_send);
  }
  consider();
}

// The time before the first bit is over, or that behind the last one.
void simulated_station::turn_passed() {
  switch (turn_) {
    case turn::switching: turn_ = turn::sending; return serve_output();
    case turn::leaving: turn_ = turn::receiving; return set_outputs(dtr_, line_.rs485.rts_after_send);
    case turn::receiving:
    case turn::sending: return;
  }
}

void simulated_station::set_break(bool on) {
  if (std::exchange(in_break_, on) == on) return;
  if (on) return wires_.begins_break(*this);
  wires_.ends_break(*this);
  mark_.start(serial::character_time(line_));  // else nobody could see where it ended
}

bool simulated_station::drives() const noexcept {
  if (!is_plugged()) return false;
  switch (hardware_.bus_transceiver) {
    case transceiver::automatic: return sending_ || in_break_;
    case transceiver::by_rts: return lines_.rts;
  }
  return false;
}

bool simulated_station::hears(const simulated_station& sender) const noexcept {
  if (&sender == this) return hardware_.echoes || line_.rs485.receive_while_sending;
  return hardware_.bus_transceiver == transceiver::automatic || !lines_.rts || line_.rs485.receive_while_sending;
}

// --- modem lines

void simulated_station::set_lines(serial::line_level dtr, serial::line_level rts) {
  const auto level = [](serial::line_level wanted, bool now) {
    return wanted == serial::line_level::keep ? now : wanted == serial::line_level::on;
  };
  set_outputs(level(dtr, dtr_), level(rts, rts_));
}

void simulated_station::set_outputs(bool dtr, bool rts) {
  dtr_ = dtr;
  rts_ = rts;
  lines_.dtr = dtr;
  lines_.rts = rts && !(throttled_ && line_.flow == serial::flow::rts_cts);
  wires_.lines_changed(*this);
}

void simulated_station::set_inputs(bool cts, bool dsr, bool carrier) {
  const bool lost_carrier = lines_.carrier && !carrier;
  change(lines_.cts, cts, counters_.cts_changes);
  change(lines_.dsr, dsr, counters_.dsr_changes);
  change(lines_.carrier, carrier, counters_.carrier_changes);
  if (lost_carrier && hardware_.hangs_up_with_carrier && is_open() && !dead_) return hang_up();
  serve_output();
}

void simulated_station::set_ring(bool on) { change(lines_.ring, on, counters_.ring_changes); }

}  // namespace sluice::testing::detail
