#include <sluice/error.hpp>
#include <sluice/fan_out.hpp>
#include <sluice/info.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <stdexcept>

namespace sluice {
namespace {

using length_bytes = std::array<std::byte, sizeof(std::uint32_t)>;

length_bytes length_of(const_bytes message) noexcept {
  length_bytes bytes;
  const auto length = static_cast<std::uint32_t>(message.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

// How many bytes may wait on this connection.
std::size_t limit_on(const transport& connection, const sink_options& settings) {
  if (settings.most_line_time <= duration::zero()) return settings.most_bytes;
  const auto speed = connection.info<line_speed>();
  return speed ? std::min(settings.most_bytes, speed->bytes_in(settings.most_line_time)) : settings.most_bytes;
}

}  // namespace

fan_out::sink::sink(fan_out& hub, const sink_options& settings) : hub_(hub.self_), settings_(settings), limit_(settings.most_bytes) {
  if (settings.most_bytes == 0) throw std::invalid_argument("sink_options: most_bytes is 0; nothing could ever wait");
}

// Another protocol may have taken over, and the connection be over since: it is not touched any more.
fan_out::sink::~sink() {
  drop_all(&fan_out_counters::left);
  leave();
}

void fan_out::sink::connection_made(transport& made) {
  connection_ = &made;
  if (*hub_ == nullptr) return made.close();
  limit_ = limit_on(made, settings_);
  if (made.get_write_buffer_limits().high > limit_ / 2) made.set_write_buffer_limits({.high = limit_ / 2, .low = {}});
  (*hub_)->join(*this);
  is_member_ = true;
}

void fan_out::sink::connection_lost(std::error_code) {
  drop_all(&fan_out_counters::left);
  leave();
  connection_ = nullptr;
}

// What waits goes down to the transport, whose own deadlines then decide.
void fan_out::sink::leave() {
  if (!is_member_) return;
  while (messages_ != 0) pump_one();
  set_blocking(false);
  (*hub_)->leave(*this);
  is_member_ = false;
}

void fan_out::sink::close() {
  leave();
  if (connection_ != nullptr) connection_->close();
}

eof fan_out::sink::eof_received() {
  leave();
  return eof::close;
}

shutdown_action fan_out::sink::shutting_down() {
  close();
  return shutdown_action::handled;
}

std::size_t fan_out::sink::waiting_bytes() const noexcept {
  const std::size_t below = connection_ == nullptr ? 0 : connection_->get_write_buffer_size();
  return below + queue_.size() - messages_ * sizeof(std::uint32_t);
}

duration fan_out::sink::waiting_line_time() const {
  const auto speed = connection_ == nullptr ? std::nullopt : connection_->info<line_speed>();
  return speed ? speed->time_for(waiting_bytes()) : duration::zero();
}

// What this turn has collected is not known to wait before it was tried.
bool fan_out::sink::has_room_for(std::size_t bytes) {
  const auto fits = [&] { return waiting_bytes() == 0 || waiting_bytes() + bytes <= limit_; };
  if (!fits() && keeps_up()) connection_->flush();
  return fits();
}

void fan_out::sink::take(const_bytes message) {
  if (connection_->is_closing())
    count(&fan_out_counters::left, message.size());
  else if (has_room_for(message.size()))
    give(message);
  else
    overflowed(message);
}

void fan_out::sink::give(const_bytes message) { keeps_up() ? send(message) : queue(message); }

void fan_out::sink::overflowed(const_bytes message) {
  switch (settings_.policy) {
    case overflow::backpressure:
      give(message);
      set_blocking(is_paused_);
      return;
    case overflow::drop_oldest:
      while (messages_ != 0 && !has_room_for(message.size())) drop_front(&fan_out_counters::dropped_oldest);
      has_room_for(message.size()) ? give(message) : count(&fan_out_counters::dropped_newest, message.size());
      return;
    case overflow::drop_newest: count(&fan_out_counters::dropped_newest, message.size()); return;
    case overflow::disconnect:
      count(&fan_out_counters::disconnected, message.size());
      drop_all(&fan_out_counters::disconnected);
      connection_->abort();
      leave();
      return;
  }
}

void fan_out::sink::send(const_bytes message) {
  const bool taken = connection_->write(message) != write_status::dropped;
  count(taken ? &fan_out_counters::sent : &fan_out_counters::left, message.size());
}

void fan_out::sink::queue(const_bytes message) {
  try {
    queue_.append(hub()->pool_, length_of(message), message);
    ++messages_;
  } catch (const std::bad_alloc&) {
    count(&fan_out_counters::dropped_newest, message.size());
  }
}

backpressure fan_out::sink::pause_writing() {
  is_paused_ = true;
  if (settings_.policy == overflow::backpressure && waiting_bytes() > limit_) set_blocking(true);
  return backpressure::handled;
}

void fan_out::sink::resume_writing() {
  is_paused_ = false;
  pump();
}

// What this turn has collected is tried as soon as it might be too much, so that what stays here can still be dropped. A sink that is not
// paused in the end has caught up; one that is hears of it again.
void fan_out::sink::pump() {
  const std::size_t high = connection_->get_write_buffer_limits().high;
  while (messages_ != 0 && !is_paused_) {
    pump_one();
    if (connection_->get_write_buffer_size() > high) connection_->flush();
  }
  connection_->flush();
  if (keeps_up()) set_blocking(false);
}

// A message that was begun goes whole, also above the mark.
void fan_out::sink::pump_one() {
  std::size_t left = take_length();
  const std::size_t all = left;
  bool taken = connection_ != nullptr;
  while (left != 0) {
    const std::size_t part = std::min(left, queue_.front().size());
    taken = taken && connection_->write(queue_.front().first(part)) != write_status::dropped;
    queue_.consume(hub()->pool_, part);
    left -= part;
  }
  --messages_;
  count(taken ? &fan_out_counters::sent : &fan_out_counters::left, all);
}

void fan_out::sink::drop_front(tally fan_out_counters::*reason) {
  const std::size_t length = take_length();
  queue_.consume(hub()->pool_, length);
  --messages_;
  count(reason, length);
}

void fan_out::sink::drop_all(tally fan_out_counters::*reason) {
  while (messages_ != 0) drop_front(reason);
  if (hub() != nullptr) queue_.clear(hub()->pool_);
}

std::uint32_t fan_out::sink::take_length() {
  length_bytes bytes;
  for (std::byte& each : bytes) {
    each = queue_.front().front();
    queue_.consume(hub()->pool_, 1);
  }
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length;
}

void fan_out::sink::count(tally fan_out_counters::*reason, std::size_t bytes) noexcept {
  for (fan_out_counters* const into : {&counters_, hub() == nullptr ? nullptr : &hub()->counters_}) {
    if (into == nullptr) continue;
    ++(into->*reason).messages;
    (into->*reason).bytes += bytes;
  }
}

void fan_out::sink::set_blocking(bool on) {
  if (is_blocking_ == on || !is_member_) return;
  is_blocking_ = on;
  if (on) {
    ++counters_.holds;
    ++hub()->counters_.holds;
  }
  hub()->block(on);
}

}  // namespace sluice
