#include <algorithm>
#include <cstring>
#include <new>

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include "stream_parts.hpp"

namespace sluice {

using state = connection_machine::state;
using action = connection_machine::action;

namespace {
constexpr int most_lingering_bytes = 256 * 1024;
}

mutable_bytes stream_transport::special_receive_buffer(std::size_t hint) {
  set(into_protocol, false);  // a buffer that no bytes came for is the past
  const bool direct = has(buffered) && may_deliver() && !has_held_input();
  return direct ? protocol_buffer(hint) : shared_receive_buffer();
}

// The scheduler's, no more of it than one read may bring.
mutable_bytes stream_transport::shared_receive_buffer() const noexcept {
  const mutable_bytes all = scheduler_->cork_.receive_buffer();
  return options_->max_receive == 0 ? all : all.first(std::min(options_->max_receive, all.size()));
}

mutable_bytes stream_transport::protocol_buffer(std::size_t hint) {
  const cork_guard turn(*scheduler_);
  const protocol* const asked = protocol_;
  mutable_bytes room;
  call("get_buffer", [&] { room = protocol_->as_buffered()->get_buffer(hint); });
  if (!may_deliver() || protocol_ != asked) return {};
  if (room.empty()) {
    scheduler_->report({error_source::callback, id(), errc::bad_buffer, nullptr, "get_buffer"});
    abort_with(errc::bad_buffer);
    return {};
  }
  set(into_protocol);
  return room;
}

void stream_transport::received(std::size_t n) {
  if (n == 0) return;
  counters_.bytes_received += n;
  ++counters_.receives;
  const read_guard turn(*scheduler_);
  if ((attention_ & special_input) != 0) [[unlikely]] {
    received_specially(n);
    return;
  }
  const const_bytes data = scheduler_->cork_.receive_buffer().first(n);
  call("data_received", [&] { protocol_->data_received(data); });
}

void stream_transport::received(const_bytes data) {
  if (data.empty()) return;
  counters_.bytes_received += data.size();
  ++counters_.receives;
  const cork_guard turn(*scheduler_);
  if ((attention_ & special_input) != 0) [[unlikely]]
    deliver(data);
  else
    call("data_received", [&] { protocol_->data_received(data); });
}

void stream_transport::received_specially(std::size_t n) {
  if (!has(into_protocol)) {
    deliver(scheduler_->cork_.receive_buffer().first(n));
    return;
  }
  set(into_protocol, false);
  call("buffer_updated", [&] { protocol_->as_buffered()->buffer_updated(n); });
}

void stream_transport::deliver(const_bytes data) {
  if (machine_.current() == state::lost) {
    discard_lingering(data.size());
    return;
  }
  while (!data.empty() && machine_.delivers_input()) {
    if (holds_ != 0 || has_held_input()) {
      keep(data);
      return;
    }
    deliver_once(data);
  }
}

// Takes what one callback takes off the front of `data`.
void stream_transport::deliver_once(const_bytes& data) {
  if (has(buffered)) {
    fill_protocol_buffer(data);
    return;
  }
  const const_bytes all = std::exchange(data, {});
  call("data_received", [&] { protocol_->data_received(all); });
}

void stream_transport::fill_protocol_buffer(const_bytes& data) {
  const mutable_bytes room = protocol_buffer(data.size());
  set(into_protocol, false);
  if (room.empty()) return;  // none was given, or the protocol was switched meanwhile
  const std::size_t n = std::min(room.size(), data.size());
  std::memcpy(room.data(), data.data(), n);
  data = data.subspan(n);
  call("buffer_updated", [&] { protocol_->as_buffered()->buffer_updated(n); });
}

void stream_transport::keep(const_bytes data) noexcept {
  try {
    rare().held.append(scheduler_->pool_, data);
  } catch (const std::bad_alloc&) {
    abort_with(make_error_code(std::errc::not_enough_memory));
  }
  update();
}

// Kept input first, then the end of input, each in a turn of its own (rules R4, R5).
void stream_transport::deliver_held() {
  if (!may_deliver()) return;
  if (has_held_input()) {
    has(buffered) ? fill_from_held() : deliver_held_load();
    update();
  } else if (input_ended()) {
    deliver_eof();
  }
  if (may_deliver() && (has_held_input() || input_ended())) scheduler_->defer(*this);
}

// One load per turn in the receive buffer, so that what is written of it needs no copy.
void stream_transport::deliver_held_load() {
  const mutable_bytes load = shared_receive_buffer();
  std::size_t n = 0;
  while (has_held_input() && n < load.size()) n += take_held(load.subspan(n));
  call("data_received", [&] { protocol_->data_received(load.first(n)); });
}

// Nothing is taken that the protocol has no room for: a switch puts what it leaves over in front of what is held (rule V2).
void stream_transport::fill_from_held() {
  for (std::size_t left = detail::cork::receive_size; left > 0 && has(buffered) && may_deliver() && has_held_input();) {
    const mutable_bytes room = protocol_buffer(rare_->held.size());
    set(into_protocol, false);
    if (room.empty()) return;
    const std::size_t n = take_held(room);
    left -= std::min(left, n);
    call("buffer_updated", [&] { protocol_->as_buffered()->buffer_updated(n); });
  }
}

// Moves bytes from the front of what is held to the front of `to`.
std::size_t stream_transport::take_held(mutable_bytes to) noexcept {
  const const_bytes front = rare_->held.front();
  const std::size_t n = std::min(front.size(), to.size());
  std::memcpy(to.data(), front.data(), n);
  rare_->held.consume(scheduler_->pool_, n);
  return n;
}

void stream_transport::discard_lingering(std::size_t n) {
  reason_value_ += static_cast<int>(std::min<std::size_t>(n, most_lingering_bytes));
  if (reason_value_ >= most_lingering_bytes) perform(machine_.linger_over());
}

void stream_transport::received_eof() {
  if (input_ended()) return;
  const cork_guard turn(*scheduler_);
  set(peer_done);
  if (machine_.current() == state::lost)
    perform(machine_.linger_over());
  else if (may_deliver_eof())
    deliver_eof();
  update();
}

// A switch that is about to take effect holds back everything, also what a pause would let through.
bool stream_transport::may_deliver_eof() const noexcept {
  const bool despite_pause = options_->report_hangup_while_paused && !switch_pending() && machine_.delivers_input();
  return !has_held_input() && (may_deliver() || despite_pause);
}

void stream_transport::deliver_eof() {
  const action next = machine_.eof_seen();
  update();
  if (next != action::deliver_eof) {
    perform(next);
    return;
  }
  eof answer = eof::close;
  call("eof_received", [&] { answer = protocol_->eof_received(); });
  perform(machine_.eof_answered(answer == eof::keep_open, output_empty()));
}

// Also before there is anybody to deliver to, as in the handshake of a layer (rule R3).
bool stream_transport::may_be_held() const noexcept { return machine_.delivers_input() || machine_.current() == state::connecting; }

void stream_transport::pause_reading() {
  if (scheduler_->wrong_thread("transport::pause_reading")) return;
  if (may_be_held()) set_hold(hold::user, true);
}

void stream_transport::resume_reading() {
  if (scheduler_->wrong_thread("transport::resume_reading")) return;
  if (may_be_held()) set_hold(hold::user, false);
}

void stream_transport::hold_for_sink(bool on) {
  if (scheduler_->wrong_thread("transport::hold_for_sink")) return;
  if (machine_.delivers_input()) set_hold(hold::coupling, on);
}

bool stream_transport::is_reading() const {
  return (holds_ & static_cast<std::uint8_t>(hold::user)) == 0 && machine_.delivers_input() && !input_ended();
}

void stream_transport::set_hold(hold which, bool on) {
  const auto bit = static_cast<std::uint8_t>(which);
  if (((holds_ & bit) != 0) == on) return;
  holds_ = static_cast<std::uint8_t>(holds_ ^ bit);
  if (may_deliver() && (has_held_input() || input_ended())) scheduler_->defer(*this);
  update();
}

stream_transport::rare_state& stream_transport::rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<rare_state>();
  return *rare_;
}

}  // namespace sluice
