#include <algorithm>
#include <new>

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include "stream_parts.hpp"

namespace sluice {

namespace {

constexpr std::size_t most_parts = 2 * detail::cork::max_parts;  // of one call of `send`
constexpr std::size_t queue_parts = 16;

std::size_t total_of(std::span<const const_bytes> parts) noexcept {
  std::size_t total = 0;
  for (const const_bytes part : parts) total += part.size();
  return total;
}

}  // namespace

write_status stream_transport::write(const_bytes data) {
  if (scheduler_->wrong_thread("transport::write")) return write_status::dropped;
  if ((attention_ & special_output) == 0 && scheduler_->in_turn() && scheduler_->cork_.add_first(*this, cork_slot_, data)) [[likely]]
    return write_status::accepted;
  return write_otherwise(data);
}

[[gnu::noinline]] write_status stream_transport::write_otherwise(const_bytes data) { return writev({&data, 1}); }

write_status stream_transport::writev(std::span<const const_bytes> parts) {
  if (scheduler_->wrong_thread("transport::writev")) return write_status::dropped;
  const std::size_t total = total_of(parts);
  if (total == 0) return write_status::accepted;
  if ((attention_ & special_output) != 0) return write_specially(parts);
  if (!scheduler_->in_turn() || corked() + total > detail::cork::send_at) return write_through(parts);
  for (; !parts.empty(); parts = parts.subspan(1))
    if (!parts[0].empty() && !scheduler_->cork_.add(*this, cork_slot_, parts[0])) return write_through(parts);
  return write_status::accepted;
}

// Nothing is queued, but the bytes are too many to wait for the end of the turn, or there is no turn.
write_status stream_transport::write_through(std::span<const const_bytes> parts) {
  const cork_guard turn(*scheduler_);
  const_bytes joined[most_parts];
  std::size_t count = 0;
  detail::cork::record* corked_before = nullptr;
  if (cork_slot_ != 0) {
    corked_before = &scheduler_->cork_.at(std::exchange(cork_slot_, std::uint8_t{0}));
    count = scheduler_->cork_.gather(*corked_before, joined);
  }
  bool sending = true;
  const auto send_joined = [&] {
    if (sending)
      sending = send_parts({joined, count});
    else if (machine_.takes_output())
      enqueue({joined, count}, 0);
    count = 0;
  };
  for (const const_bytes part : parts) {
    if (part.empty()) continue;
    if (count == most_parts) send_joined();
    joined[count++] = part;
  }
  send_joined();
  if (corked_before != nullptr) scheduler_->cork_.settled(*corked_before);
  if (!sending) evaluate_flow();
  return status_after_send();
}

// Something is queued already, or output is over.
write_status stream_transport::write_specially(std::span<const const_bytes> parts) {
  if (!machine_.takes_output()) return drop_write();
  if (sends_file()) return refuse_beside_file();
  enqueue(parts, 0);
  evaluate_flow();
  return status_after_send();
}

write_status stream_transport::drop_write() noexcept {
  ++scheduler_->counters_.dropped_writes;
  if (machine_.output_was_ended() && !has(misuse_told)) {
    set(misuse_told);
    const bool never = ways() == connection_machine::ways::input_only;
    scheduler_->report_misuse(id(), never ? "write to a transport that can only be read" : "write after write_eof");
  }
  return write_status::dropped;
}

// A close from inside `pause_writing` takes back nothing: what was queued goes out. Only an end that has a reason drops it.
write_status stream_transport::status_after_send() const noexcept {
  if (reason_category_ != nullptr) return write_status::dropped;
  const bool above = flow_.current() == flow_control_machine::state::paused || queue_.size() > options_->write_buffer.high;
  return above ? write_status::above_high_mark : write_status::accepted;
}

// Offers `parts` to the channel while nothing is queued. False if it did not take all: the rest is queued, or output has failed.
bool stream_transport::send_parts(std::span<const const_bytes> parts) {
  const send_result result = send_batch(parts);
  if (result.took(total_of(parts))) return true;
  sent_short(parts, result);
  return false;
}

send_result stream_transport::send_batch(std::span<const const_bytes> parts) {
  const send_result result = send(parts);
  counters_.bytes_sent += result.taken();
  ++counters_.sends;
  return result;
}

[[gnu::noinline]] void stream_transport::sent_short(std::span<const const_bytes> parts, send_result result) {
  if (result.failed())
    fail_output(result.error());
  else
    enqueue(parts, result.taken());
}

// Copies what the channel did not take and asks for a sign when it would take more.
void stream_transport::enqueue(std::span<const const_bytes> parts, std::size_t skip) {
  detail::chunk_queue::place at = queue_.end();
  try {
    for (const const_bytes part : parts) {
      const std::size_t here = std::min(skip, part.size());
      skip -= here;
      queue_.append(scheduler_->pool_, part.subspan(here));
    }
  } catch (const std::bad_alloc&) {
    abort_with(make_error_code(std::errc::not_enough_memory));
    return;
  }
  if (options_->max_write_buffer != 0 && queue_.size() > options_->max_write_buffer) {
    abort_with(errc::buffer_limit);
    return;
  }
  update();
  const_bytes added[queue_parts];
  while (const std::size_t count = queue_.gather_from(at, added)) send_later({added, count});
}

void stream_transport::flush() {
  if (scheduler_->wrong_thread("transport::flush")) return;
  const cork_guard turn(*scheduler_);
  if (cork_slot_ != 0) send_corked(scheduler_->cork_.at(cork_slot_));
  if (has(in_layer) && !machine_.is_over()) static_cast<layer*>(this)->flush_below();
}

// What this turn collected goes to the channel; the memory is the cork's until that is settled. One part, all of it taken, is the common
// case, and everything else is elsewhere so that this case needs few registers.
void stream_transport::send_corked(detail::cork::record& record) noexcept {
  cork_slot_ = 0;
  if (record.parts != 1) [[unlikely]] {
    send_corked_parts(record);
    return;
  }
  const send_result result = send({&record.first, 1});
  ++counters_.sends;
  if (!result.took(record.bytes)) [[unlikely]] {
    sent_corked_short(record, result);
    return;
  }
  counters_.bytes_sent += record.bytes;
  scheduler_->cork_.settled(record);
  if (attention_ != 0) [[unlikely]]
    after_drain();
}

[[gnu::noinline]] void stream_transport::sent_corked_short(detail::cork::record& record, send_result result) noexcept {
  counters_.bytes_sent += result.taken();
  sent_short({&record.first, 1}, result);
  scheduler_->cork_.settled(record);
  after_drain();
}

[[gnu::noinline]] void stream_transport::send_corked_parts(detail::cork::record& record) noexcept {
  const_bytes parts[detail::cork::max_parts];
  const std::size_t count = scheduler_->cork_.gather(record, parts);
  send_parts({parts, count});
  scheduler_->cork_.settled(record);
  if (attention_ != 0) after_drain();
}

void stream_transport::drop_output() noexcept {
  if (cork_slot_ != 0) scheduler_->cork_.settled(scheduler_->cork_.at(std::exchange(cork_slot_, std::uint8_t{0})));
  queue_.clear(scheduler_->pool_);
  if (sends_file()) end_file(closing_reason() ? closing_reason() : errc::cancelled);
}

std::size_t stream_transport::corked() const noexcept { return cork_slot_ == 0 ? 0 : scheduler_->cork_.at(cork_slot_).bytes; }

void stream_transport::ready_to_send() {
  const cork_guard turn(*scheduler_);
  std::size_t sent = 0;
  while (!queue_.empty() && sent < most_per_turn) {
    const_bytes parts[queue_parts];
    const std::size_t count = queue_.gather(parts);
    const send_result result = send_batch({parts, count});
    if (result.failed()) {
      fail_output(result.error());
      return;
    }
    const bool all = result.took(total_of({parts, count}));
    queue_.consume(scheduler_->pool_, result.taken());
    sent += result.taken();
    if (!all) break;
  }
  if (!queue_.empty()) send_later({});
  after_drain();
}

void stream_transport::output_drained(std::size_t n) {
  const cork_guard turn(*scheduler_);
  n = std::min(n, queue_.size());
  counters_.bytes_sent += n;
  ++counters_.sends;
  queue_.consume(scheduler_->pool_, n);
  after_drain();
}

void stream_transport::discard_output() {
  const cork_guard turn(*scheduler_);
  drop_output();
  after_drain();
}

void stream_transport::after_drain() {
  update();
  if (sends_file()) continue_file();
  evaluate_flow();
  if (output_empty()) perform(machine_.drained());
}

std::error_code stream_transport::write_eof() {
  if (scheduler_->wrong_thread("transport::write_eof")) return errc::misuse;
  if (!can_write_eof()) return errc::not_supported;
  if (machine_.current() == connection_machine::state::connecting) set(eof_asked);
  perform(machine_.write_eof(output_empty()));
  update();
  return {};
}

// In the handshake of a layer, which may have shown since that there is no such end.
void stream_transport::write_eof_as_asked() {
  if (const std::error_code error = write_eof())
    scheduler_->report({error_source::misuse, id(), error, nullptr, "write_eof inside the handshake"});
}

void stream_transport::evaluate_flow() {
  const std::size_t queued = queue_.empty() ? 0 : queue_.size() + queued_beside_bytes();
  const bool blocked = sends_file();  // nothing can be written, however little is left and wherever the marks are (rule H1)
  switch (blocked ? flow_.evaluate(1, {0, 0}) : flow_.evaluate(queued, options_->write_buffer)) {
    case flow_control_machine::action::none: return;
    case flow_control_machine::action::pause: pause_protocol(); return;
    case flow_control_machine::action::resume: resume_protocol(); return;
  }
}

void stream_transport::pause_protocol() {
  backpressure answer = backpressure::hold_reading;  // also of a callback that threw (rule F14)
  guarded("pause_writing", [&] { answer = protocol_->pause_writing(); });
  const bool still_paused = flow_.current() == flow_control_machine::state::paused;
  if (still_paused && answer == backpressure::hold_reading) set_hold(hold::write_pressure, true);
}

void stream_transport::resume_protocol() {
  set_hold(hold::write_pressure, false);
  guarded("resume_writing", [&] { protocol_->resume_writing(); });
}

}  // namespace sluice
