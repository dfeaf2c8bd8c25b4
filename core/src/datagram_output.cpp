#include <algorithm>
#include <cerrno>
#include <new>

#include "datagram_parts.hpp"

namespace sluice {
namespace {

constexpr int most_batches_per_turn = 4;  // of queued datagrams, so that others get their turn

}  // namespace

// The address is looked at first: a wrong one is wrong in every state (rule D6).
send_status datagram_transport::send_to(const_bytes data, const address& to) {
  if (scheduler_->wrong_thread("datagram_transport::send_to")) return send_status::dropped;
  if (!is_connected()) [[likely]]
    return can_send_to(to) ? send_datagram(data, &to) : send_status::bad_address;
  return to == peer_ ? send_datagram(data, nullptr) : send_status::bad_address;
}

send_status datagram_transport::send(const_bytes data) {
  if (scheduler_->wrong_thread("datagram_transport::send")) return send_status::dropped;
  return is_connected() ? send_datagram(data, nullptr) : send_status::bad_address;
}

send_status datagram_transport::send_datagram(const_bytes data, const address* to) {
  if (machine_.takes_output() && data.size() <= largest_datagram && scheduler_->in_turn() && remember(data, to)) [[likely]]
    return send_status::accepted;
  return send_otherwise(data, to);
}

// For the end of the turn, unless something is queued that goes first, or the turn has sent too much already.
bool datagram_transport::remember(const_bytes data, const address* to) noexcept {
  if (!queue_.empty() || !scheduler_->datagram_cork_->add(*this, data, to)) return false;
  scheduler_->ends_rarely_ = true;
  ++corked_;
  corked_bytes_ += data.size();
  return true;
}

[[gnu::noinline]] send_status datagram_transport::send_otherwise(const_bytes data, const address* to) {
  if (!machine_.takes_output()) return drop_datagram();
  if (data.size() > largest_datagram) {
    note_error(system_error(EMSGSIZE));
    return send_status::accepted;
  }
  const bool is_alone = !scheduler_->in_turn();
  const cork_guard turn(*scheduler_);
  if (!remember(data, to)) {
    if (queue_.empty()) scheduler_->datagram_cork_->flush();  // which may call back
    if (!machine_.takes_output()) return drop_datagram();
    if (!remember(data, to)) {
      if (!enqueue({data, to})) return drop_datagram();
      send_later();
      evaluate_flow();
    }
  }
  if (is_alone) scheduler_->datagram_cork_->flush();
  return status_after_send();
}

send_status datagram_transport::drop_datagram() noexcept {
  ++scheduler_->counters_.dropped_writes;
  return send_status::dropped;
}

send_status datagram_transport::status_after_send() const noexcept {
  const bool above =
      flow_.current() == flow_control_machine::state::paused || (!queue_.empty() && weight_of(queue_) > options_.write_buffer.high);
  return above ? send_status::above_high_mark : send_status::accepted;
}

// What this turn collected. Calls nobody back; that is for `after_send`.
void datagram_transport::send_corked(std::span<const outgoing_datagram> batch) noexcept {
  corked_ = corked_bytes_ = 0;
  if (queue_.empty()) batch = batch.subspan(send_what_goes(batch));
  if (batch.empty()) return;
  for (const outgoing_datagram& each : batch)
    if (machine_.takes_output() || machine_.current() == connection_machine::state::flushing) enqueue(each);
  if (!queue_.empty()) send_later();
}

void datagram_transport::after_send() {
  if (!queue_.empty()) evaluate_flow();
  if (output_empty()) perform(machine_.drained());
}

// How many datagrams at the front are done with: sent, or failed for good.
std::size_t datagram_transport::send_what_goes(std::span<const outgoing_datagram> batch) noexcept {
  std::size_t done = 0;
  while (done < batch.size()) {
    const datagrams_sent now = send_batch(batch.subspan(done));
    ++counters_.sends;
    counters_.datagrams_sent += now.taken;
    for (const outgoing_datagram& each : batch.subspan(done, now.taken)) counters_.bytes_sent += each.data.size();
    done += now.taken;
    if (now.error) {
      note_error(now.error);
      ++done;
    } else if (done < batch.size()) {
      break;
    }
  }
  return done;
}

bool datagram_transport::enqueue(const outgoing_datagram& each) noexcept {
  if (!make_room(each.data.size() + overhead)) return false;
  try {
    queue_.append(scheduler_->pool_, each.data, each.to == nullptr ? address() : *each.to);
    return true;
  } catch (const std::bad_alloc&) {
    ++counters_.dropped;
    return false;
  }
}

bool datagram_transport::make_room(std::size_t weight) noexcept {
  if (options_.max_write_buffer == 0 || weight_of(queue_) + weight <= options_.max_write_buffer) return true;
  switch (options_.when_full) {
    case full_queue::drop_newest: ++counters_.dropped; return false;
    case full_queue::abort: abort_with(errc::buffer_limit); return false;
  }
  return false;
}

void datagram_transport::flush() {
  if (scheduler_->wrong_thread("datagram_transport::flush")) return;
  const cork_guard turn(*scheduler_);
  if (corked_ != 0) scheduler_->datagram_cork_->flush();
}

void datagram_transport::ready_to_send() {
  const cork_guard turn(*scheduler_);
  for (int batches = 0; batches < most_batches_per_turn && !queue_.empty(); ++batches)
    if (!send_some_queued()) break;
  if (!queue_.empty()) send_later();
  evaluate_flow();
  if (output_empty()) perform(machine_.drained());
}

// One batch from the queue; ends behind a datagram that had to be joined, as there is room for one. False if the channel takes no more.
bool datagram_transport::send_some_queued() {
  address peers[most_per_batch];
  outgoing_datagram batch[most_per_batch];
  std::size_t n = 0;
  detail::datagram_queue::place at;
  for (bool joined = false; n < most_per_batch && !joined && !queue_.is_end(at); ++n) {
    const auto next = queue_.next(at, scheduler_->datagram_cork_->joining_room());
    peers[n] = next.peer;
    batch[n] = {next.data, next.peer.empty() ? nullptr : &peers[n]};
    joined = next.joined;
  }
  const std::size_t done = send_what_goes({batch, n});
  queue_.consume(scheduler_->pool_, done);
  return done == n;
}

void datagram_transport::drop_output() noexcept {
  if (corked_ != 0) scheduler_->datagram_cork_->drop(*this);
  corked_ = corked_bytes_ = 0;
  queue_.clear(scheduler_->pool_);
}

std::size_t datagram_transport::get_write_buffer_size() const noexcept { return weight_of(queue_) + corked_bytes_ + corked_ * overhead; }

void datagram_transport::evaluate_flow() {
  switch (flow_.evaluate(weight_of(queue_), options_.write_buffer)) {
    case flow_control_machine::action::none: return;
    case flow_control_machine::action::pause: {
      backpressure answer = backpressure::hold_reading;  // also of a callback that threw (rule F14)
      guarded("pause_writing", [&] { answer = protocol_->pause_writing(); });
      const bool still_paused = flow_.current() == flow_control_machine::state::paused;
      if (still_paused && answer == backpressure::hold_reading) set_hold(hold::write_pressure, true);
      return;
    }
    case flow_control_machine::action::resume:
      set_hold(hold::write_pressure, false);
      guarded("resume_writing", [&] { protocol_->resume_writing(); });
      return;
  }
}

// Told later: a call that sends does not call back. Kinds of failures beyond what there is room for are counted only.
void datagram_transport::note_error(std::error_code error) noexcept {
  ++counters_.send_errors;
  const auto place = std::find_if(errors_.begin(), errors_.end(), [&](std::error_code each) { return !each || each == error; });
  if (place == errors_.end()) return;
  *place = error;
  scheduler_->defer(*this);
}

void datagram_transport::tell_errors() {
  if (!errors_.front()) return;
  const auto noted = std::exchange(errors_, {});
  for (const std::error_code error : noted)
    if (error) tell_error(error);
}

}  // namespace sluice
