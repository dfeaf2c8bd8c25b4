#include <sluice/datagram_transport.hpp>

#include <new>
#include <stdexcept>
#include <utility>

#include "datagram_parts.hpp"

// Life and death; input and output have files of their own.

namespace sluice {

using state = connection_machine::state;
using action = connection_machine::action;

datagram_transport::datagram_transport(sluice::scheduler& owner, const datagram_options& options, const address& peer)
    : event_node(&datagram_transport::on_event), scheduler_(&owner), options_(options), peer_(peer) {}

datagram_transport::~datagram_transport() {
  scheduler_->unretire(*this);
  scheduler_->forget(*this);
  scheduler_->cancel_timer(*this);
  drop_output();
  held_.clear(scheduler_->pool_);
  if (machine_.current() == state::released || !registered_) return;
  scheduler_->slots_->remove(slot_);
  scheduler_->slot_freed();
}

datagram_transport& datagram_transport::start(std::unique_ptr<datagram_transport> channel, datagram_protocol_ptr upper) {
  if (channel == nullptr || upper == nullptr)
    throw std::invalid_argument("sluice: a datagram transport starts with a channel and a protocol, not null");
  channel->register_self();
  datagram_transport& self = *channel.release();
  self.protocol_ = std::move(upper);
  const cork_guard turn(*self.scheduler_);
  self.make_connection();
  if (self.scheduler_->closing_all_) self.terminate(errc::aborted);
  if (self.scheduler_->ending_ != nullptr) self.shut_down();
  return self;
}

void datagram_transport::register_self() {
  if (scheduler_->datagram_cork_ == nullptr) scheduler_->datagram_cork_ = std::make_unique<detail::datagram_cork>();
  slot_ = scheduler_->slots_->put(*this);
  registered_ = true;
  ++scheduler_->counters_.transports_opened;
}

void datagram_transport::make_connection() {
  perform(machine_.made());
  update_reading();
  if (!guarded("connection_made", [this] { protocol_->connection_made(*this); })) abort_with(errc::protocol_threw);
}

std::uint64_t datagram_transport::id() const { return scheduler_->slots_->id(slot_); }

void datagram_transport::describe(info_query&) const {}

void datagram_transport::close() {
  if (scheduler_->wrong_thread("datagram_transport::close")) return;
  perform(machine_.close(output_empty()));
}

void datagram_transport::abort() {
  if (scheduler_->wrong_thread("datagram_transport::abort")) return;
  abort_with(errc::aborted);
}

void datagram_transport::shut_down() {
  if (scheduler_->wrong_thread("datagram_transport::shut_down") || shutdown_asked_ || machine_.is_closing()) return;
  shutdown_asked_ = true;
  scheduler_->defer(*this);
}

void datagram_transport::tell_shutdown() {
  if (!shutdown_asked_ || shutdown_told_ || !machine_.is_live() || machine_.is_closing()) return;
  shutdown_told_ = true;
  shutdown_action answer = shutdown_action::close;  // also of a callback that threw
  guarded("shutting_down", [&] { answer = protocol_->shutting_down(); });
  if (answer == shutdown_action::close) close();
}

void datagram_transport::abort_with(std::error_code reason) noexcept {
  const action next = machine_.abort();
  if (next == action::none) return;
  reason_ = reason;
  perform(next);
}

void datagram_transport::failed(std::error_code error) {
  const cork_guard turn(*scheduler_);
  abort_with(error);
}

void datagram_transport::perform(action next) {
  switch (next) {
    case action::none:
    case action::deliver_eof:  // datagrams know no end of input, and no half of a connection
    case action::end_output:
    case action::drain_input:
    case action::deliver_lost: return;
    case action::flush_output:
      end_flow();
      start_close_deadline();
      return;
    case action::begin_close:  // there is nobody to say goodbye to
      end_flow();
      perform(machine_.goodbye_said());
      return;
    case action::abort: stop_everything(); return;
    case action::post_finish: scheduler_->defer(*this); return;
    case action::release:
      scheduler_->cancel_timer(*this);
      update_reading();
      if (release() == progress::done) released();
      return;
  }
}

void datagram_transport::end_flow() noexcept {
  flow_.closed();
  held_.clear(scheduler_->pool_);
  update_reading();
}

void datagram_transport::stop_everything() noexcept {
  end_flow();
  drop_output();
  scheduler_->cancel_timer(*this);
  scheduler_->defer(*this);
}

// Where there is no memory for a deadline, there is no waiting.
void datagram_transport::start_close_deadline() noexcept {
  if (options_.close_timeout.count() <= 0) return;
  try {
    scheduler_->set_timer(*this, scheduler_->now() + options_.close_timeout);
  } catch (const std::bad_alloc&) {
    abort_with(make_error_code(std::errc::not_enough_memory));
  }
}

void datagram_transport::on_event(detail::event_node& node, detail::event kind) {
  auto& self = static_cast<datagram_transport&>(node);
  const cork_guard turn(*self.scheduler_);
  switch (kind) {
    case detail::event::deferred: self.run_pending(); return;
    case detail::event::expired: self.abort_with(errc::timed_out); return;
    case detail::event::retired: self.end_of_turn(); return;
  }
}

// Everything that was put off to a turn of its own.
void datagram_transport::run_pending() {
  tell_errors();
  tell_shutdown();
  if (machine_.current() == state::finishing)
    finish();
  else
    deliver_held();
}

void datagram_transport::finish() {
  if (machine_.finish() != action::deliver_lost) return;
  drop_output();
  if (protocol_ != nullptr) guarded("connection_lost", [this] { protocol_->connection_lost(reason_); });
  scheduler_->retire(*this);
  perform(machine_.lost_delivered(false));
}

void datagram_transport::terminate(std::error_code reason) noexcept {
  const cork_guard turn(*scheduler_);
  abort_with(reason);
  finish();
}

void datagram_transport::released() {
  const cork_guard turn(*scheduler_);
  perform(machine_.released());
  scheduler_->slots_->remove(slot_);
  scheduler_->slot_freed();
  ++scheduler_->counters_.transports_closed;
  scheduler_->retire(*this);
}

// After `connection_lost` the protocol goes, after `released` everything (rules L9, L10).
void datagram_transport::end_of_turn() noexcept {
  protocol_.reset();
  if (machine_.current() == state::released) delete this;
}

std::error_code datagram_transport::set_options(const datagram_options& options) {
  if (scheduler_->wrong_thread("datagram_transport::set_options")) return errc::misuse;
  if (options.write_buffer.low > options.write_buffer.high) {
    scheduler_->report_misuse(id(), "set_options: write_buffer.low is above write_buffer.high");
    return errc::misuse;
  }
  options_ = options;
  evaluate_flow();
  return {};
}

std::error_code datagram_transport::set_write_buffer_limits(write_buffer_limits limits) {
  const auto marks = resolve(limits);
  if (!marks) {
    scheduler_->report_misuse(id(), "set_write_buffer_limits: low is above high");
    return errc::misuse;
  }
  datagram_options changed = options_;
  changed.write_buffer = *marks;
  return set_options(changed);
}

}  // namespace sluice
