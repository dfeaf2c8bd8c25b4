#include <new>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/stream_transport.hpp>

#include "stream_parts.hpp"

namespace sluice {

std::error_code stream_transport::set_protocol(protocol_ptr next, const_bytes unread) {
  return schedule_switch(nullptr, std::move(next), unread);
}

std::error_code stream_transport::upgrade(std::unique_ptr<layer> between, protocol_ptr next, const_bytes unread) {
  if (between == nullptr) {
    scheduler_->report_misuse(id(), "upgrade: the layer is null");
    return errc::misuse;
  }
  if (machine_.output_was_ended()) {
    scheduler_->report_misuse(id(), "upgrade after write_eof: a layer could not send");
    return errc::misuse;
  }
  if (sends_file()) {
    scheduler_->report_misuse(id(), "upgrade while a file is being sent: a layer could not send");
    return errc::misuse;
  }
  return schedule_switch(std::move(between), std::move(next), unread);
}

std::error_code stream_transport::schedule_switch(std::unique_ptr<layer> between, protocol_ptr next, const_bytes unread) {
  if (scheduler_->wrong_thread("transport::set_protocol")) return errc::misuse;
  if (next == nullptr) {
    scheduler_->report_misuse(id(), "set_protocol: the protocol is null");
    return errc::misuse;
  }
  if (!machine_.is_live()) return errc::closed;
  const protocol& upper = between != nullptr ? *between : *next;
  if (upper.needs_every_byte() && info<reserved_bytes>()) return errc::bytes_reserved;
  try {
    rare_state& rarely = rare();
    auto wanted = std::make_unique<pending_switch>();
    wanted->old = std::make_unique<detail::retired_protocols>();
    wanted->unread.append(scheduler_->pool_, unread);
    wanted->between = std::move(between);
    wanted->next = std::move(next);
    if (switch_pending()) drop_switch();  // the last call of one callback wins (rule V1)
    rarely.next = std::move(wanted);
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
  set_hold(hold::switching, true);
  scheduler_->defer(*this);  // unless the running callback ends before; those of flow control do not count, a write may be around them
  return {};
}

// Chunks go back to the pool; the protocols were never told of anything.
void stream_transport::drop_switch() noexcept {
  const std::unique_ptr<pending_switch> unused = std::exchange(rare_->next, nullptr);
  unused->unread.clear(scheduler_->pool_);
}

void stream_transport::after_callback() noexcept {
  if (callback_depth_ == 0 && switch_pending()) apply_switch();
}

// The moment of a switch: no callback of this transport is running. `connection_made` may ask for the next one.
void stream_transport::apply_switch() {
  while (switch_pending()) {
    const std::unique_ptr<pending_switch> change = std::exchange(rare_->next, nullptr);
    const bool is_layer = change->between != nullptr;
    keep_unread(*change);
    change->old->one = take_protocol();
    if (change->between != nullptr) {
      change->between->park(std::move(change->old), std::move(change->next));
      adopt(std::move(change->between));
    } else {
      scheduler_->retire(std::move(change->old));
      adopt(std::move(change->next));
    }
    flow_.replaced();
    set_hold(hold::write_pressure, false);
    set_hold(hold::switching, false);
    if (!guarded("connection_made", [this] { protocol_->connection_made(*this); })) abort_with(errc::protocol_threw);
    // A layer must not wait in its handshake for a peer that has ended; what becomes of the connection is decided above it.
    if (is_layer && machine_.current() == connection_machine::state::peer_ended)
      guarded("eof_received", [this] { protocol_->eof_received(); });
    evaluate_flow();  // the new protocol hears of a pause that is still on (rule F15)
  }
  update();
}

// What the old protocol left over comes before what has been held since.
void stream_transport::keep_unread(pending_switch& change) noexcept {
  if (change.unread.empty()) return;
  if (!machine_.delivers_input()) {
    change.unread.clear(scheduler_->pool_);
    return;
  }
  change.unread.splice(rare_->held);
  rare_->held.splice(change.unread);
  update();
}

}  // namespace sluice
