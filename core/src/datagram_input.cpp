#include <new>

#include "datagram_parts.hpp"

namespace sluice {

void datagram_transport::received(std::span<const incoming_datagram> batch, const_bytes memory) {
  const cork_guard turn(*scheduler_);
  ++counters_.receives;
  scheduler_->datagram_cork_->lend(batch, memory);
  for (const incoming_datagram& each : batch) take_in(each);
  scheduler_->datagram_cork_->take_back();
}

void datagram_transport::take_in(const incoming_datagram& each) {
  if (each.truncated) {
    ++counters_.truncated;
    tell_error(errc::message_truncated);
    return;
  }
  ++counters_.datagrams_received;
  counters_.bytes_received += each.data.size();
  if (!machine_.delivers_input()) return;
  if (holds_ != 0 || !held_.empty()) [[unlikely]]
    keep(each);
  else
    deliver(each.data, each.from);
}

void datagram_transport::deliver(const_bytes data, const address& from) {
  guarded("datagram_received", [&] { protocol_->datagram_received(data, from); });
}

// The rest of a batch; reading is off already or about to be.
void datagram_transport::keep(const incoming_datagram& each) noexcept {
  try {
    held_.append(scheduler_->pool_, each.data, each.from);
  } catch (const std::bad_alloc&) {
    ++counters_.dropped;
  }
  update_reading();
}

// Kept datagrams come first, a batch in each turn.
void datagram_transport::deliver_held() {
  std::size_t left = most_per_batch;
  for (; left != 0 && may_deliver() && !held_.empty(); --left) {
    const auto next = held_.take(scheduler_->pool_, scheduler_->datagram_cork_->room_for_held());
    deliver(next.data, next.peer);
  }
  if (may_deliver() && !held_.empty()) scheduler_->defer(*this);
  update_reading();
}

void datagram_transport::receive_failed(std::error_code error) {
  const cork_guard turn(*scheduler_);
  ++counters_.receive_errors;
  tell_error(error);
}

void datagram_transport::tell_error(std::error_code error) {
  if (!machine_.is_live() || machine_.is_closing()) return;
  guarded("error_received", [&] { protocol_->error_received(error); });
}

void datagram_transport::pause_reading() {
  if (scheduler_->wrong_thread("datagram_transport::pause_reading")) return;
  if (machine_.delivers_input()) set_hold(hold::user, true);
}

void datagram_transport::resume_reading() {
  if (scheduler_->wrong_thread("datagram_transport::resume_reading")) return;
  if (machine_.delivers_input()) set_hold(hold::user, false);
}

bool datagram_transport::is_reading() const noexcept {
  return (holds_ & static_cast<std::uint8_t>(hold::user)) == 0 && machine_.delivers_input();
}

void datagram_transport::set_hold(hold which, bool on) {
  const auto bit = static_cast<std::uint8_t>(which);
  if (((holds_ & bit) != 0) == on) return;
  holds_ = static_cast<std::uint8_t>(holds_ ^ bit);
  if (may_deliver() && !held_.empty()) scheduler_->defer(*this);
  update_reading();
}

void datagram_transport::update_reading() {
  const bool wanted = may_deliver() && held_.empty();
  if (wanted == reading_) return;
  reading_ = wanted;
  if (machine_.current() >= connection_machine::state::releasing) return;
  wanted ? start_reading() : stop_reading();
}

}  // namespace sluice
