#include <sluice/layer.hpp>

#include <algorithm>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/info.hpp>

#include "stream_parts.hpp"

namespace sluice {

layer::layer(sluice::scheduler& owner) : stream_transport(owner) {
  set(in_layer);
  register_self();
}

layer::layer(sluice::scheduler& owner, protocol_ptr upper) : layer(owner) { upper_ = std::move(upper); }

layer::~layer() {
  const cork_guard turn(*scheduler_);
  lower_ = nullptr;  // a switch below took the layer out of the stack: the transport there goes on without it
  end_parked(closing_reason() ? closing_reason() : errc::aborted);
  if (machine_.is_live()) finish_from_below(errc::aborted);
  end_of_turn();
}

void layer::park(std::unique_ptr<detail::retired_protocols> old, protocol_ptr upper) noexcept {
  parked_ = std::move(old);
  upper_ = std::move(upper);
}

// One that was closed or has failed before it was put in lets nobody wait for it: whoever was put off hears of the end (rule V5).
void layer::attach(transport& below) noexcept {
  lower_ = &below;
  was_closing_ = below.is_closing();
  if (state() != connection_machine::state::connecting || closing_reason())
    below.abort();
  else
    take_options(below.options());
}

// What bounds the output below bounds it here as well (rules C4, F13), unless this layer has options of its own; the others concern the medium.
void layer::take_options(const stream_options& below) noexcept {
  if (&*options_ != &*scheduler_->default_options_) return;
  stream_options wanted;
  wanted.write_buffer = below.write_buffer;
  wanted.max_write_buffer = below.max_write_buffer;
  wanted.close_timeout = below.close_timeout;
  const stream_options usual;
  const bool are_usual = wanted.write_buffer == usual.write_buffer && wanted.max_write_buffer == usual.max_write_buffer &&
                         wanted.close_timeout == usual.close_timeout;
  if (are_usual) return;
  if (const std::error_code error = set_options(wanted)) fail(error);
}

// Output has to pass the medium below, whose speed may be known. A time that was chosen for this layer is kept to.
std::chrono::milliseconds layer::close_time() const noexcept {
  const std::chrono::milliseconds chosen = options().close_timeout;
  if (lower_ == nullptr || chosen.count() == 0 || chosen != lower_->options().close_timeout) return chosen;
  const auto speed = lower_->info<line_speed>();
  if (!speed) return chosen;
  return chosen + std::chrono::ceil<std::chrono::milliseconds>(speed->time_for(get_write_buffer_size() + lower_->get_write_buffer_size()));
}

void layer::connection_made(transport& below) {
  attach(below);
  established();
}

// On a transport that was closing from the first, the upper protocol is made for its end (rule V4). One that began to close in the
// handshake tells the parked protocol (rule V5).
bool layer::comes_too_late() const noexcept {
  return state() != connection_machine::state::connecting || (lower_->is_closing() && !was_closing_);
}

void layer::established(bool paused) {
  if (lower_ == nullptr) {
    scheduler().report_misuse(id(), "a layer was established before connection_made");
    return;
  }
  if (comes_too_late()) return;
  if (upper_ == nullptr) {
    scheduler().report_misuse(id(), "a layer was established without a protocol above it");
    fail(errc::misuse);
    return;
  }
  if (parked_ != nullptr) scheduler_->retire(std::move(parked_));
  adopt(std::move(upper_));
  if (paused) set_hold(hold::user, true);
  set(channel_reading, lower_->is_reading());         // for the handshake; nobody may want it now (rules T10, F15)
  make_connection(lower_->is_closing());              // what is written above a transport that is closing would go nowhere (rule V4)
  if (has(shutdown_asked)) scheduler_->defer(*this);  // in the handshake, when there was nobody to tell
}

void layer::fail(std::error_code error, close_kind below) {
  if (is_established()) {
    failed(error);
    return;
  }
  set_reason(error);
  if (lower_ == nullptr) return;
  switch (below) {
    case close_kind::graceful: lower_->close(); return;
    case close_kind::abort: lower_->abort(); return;
    case close_kind::reset: lower_->reset(); return;
  }
}

void layer::data_received(const_bytes data) { received(data); }

// The engine above decides what becomes of the connection, so the one below is never closed by this answer.
eof layer::eof_received() {
  received_eof();
  return eof::keep_open;
}

backpressure layer::pause_writing() {
  lower_paused_ = true;
  return backpressure::handled;
}

void layer::resume_writing() {
  lower_paused_ = false;
  if (has_queued_output()) ready_to_send();
}

shutdown_action layer::shutting_down() {
  if (!is_established()) return shutdown_action::close;
  shut_down();
  return shutdown_action::handled;
}

void layer::connection_lost(std::error_code reason) {
  if (!is_established()) {
    set_reason(reason ? reason : make_error_code(errc::handshake_failed));
    end_parked(closing_reason());
  }
  finish_from_below(reason);
}

void layer::end_parked(std::error_code reason) {
  if (parked_ == nullptr) return;
  guarded("connection_lost", [&] { parked_->one->connection_lost(reason); });
  parked_->other = std::move(upper_);
  scheduler_->retire(std::move(parked_));
}

void layer::flush_below() {
  if (lower_ != nullptr) lower_->flush();
}

void layer::start_reading() {
  if (lower_ != nullptr) lower_->resume_reading();
}

void layer::stop_reading() {
  if (lower_ != nullptr) lower_->pause_reading();
}

send_result layer::send(std::span<const const_bytes> parts) {
  if (lower_paused_) return {};
  std::size_t total = parts[0].size();
  write_status status = write_status::accepted;
  if (parts.size() == 1) [[likely]] {
    status = lower_->write(parts[0]);
  } else {
    status = lower_->writev(parts);
    for (const const_bytes part : parts.subspan(1)) total += part.size();
  }
  if (status != write_status::dropped) [[likely]]
    return total;
  return lower_->closing_reason() ? lower_->closing_reason() : errc::closed;
}

// Either `resume_writing` follows, or only this turn had enough. A `send` that takes nothing for reasons of its own is not asked again.
void layer::send_later(std::span<const const_bytes>) {
  if (!lower_paused_ && std::exchange(sent_at_last_, counters().bytes_sent) != counters().bytes_sent) scheduler_->defer(*this);
}

void layer::send_more() {
  if (!lower_paused_ && has_queued_output()) ready_to_send();
}

std::error_code layer::shutdown_output() { return lower_->write_eof(); }

progress layer::begin_close(close_kind kind) {
  if (lower_ == nullptr) return progress::done;
  switch (kind) {
    case close_kind::graceful: lower_->close(); break;
    case close_kind::abort: lower_->abort(); break;
    case close_kind::reset: lower_->reset(); break;
  }
  return progress::pending;  // until the transport below is lost
}

progress layer::release() { return progress::done; }

void layer::describe(info_query& query) const {
  if (lower_ != nullptr) lower_->describe(query);
}

}  // namespace sluice
