#include <sluice/stream_transport.hpp>

#include <new>
#include <stdexcept>
#include <utility>

#include <sluice/error.hpp>

#include "outgoing_file.hpp"
#include "stream_parts.hpp"

// Life and death: starting, closing, deadlines, and the end. Input, output and protocol switches have files of their own.

namespace sluice {

using state = connection_machine::state;
using action = connection_machine::action;

stream_transport::stream_transport(sluice::scheduler& owner) : stream_transport(owner, owner.default_options_) {}

stream_transport::stream_transport(sluice::scheduler& owner, const shared_stream_options& options)
    : event_node(&stream_transport::on_event), scheduler_(&owner), options_(options) {}

stream_transport::~stream_transport() {
  set(sending_file, false);
  if (rare_ != nullptr) rare_->file.reset();
  scheduler_->unretire(*this);
  scheduler_->forget(*this);
  scheduler_->cancel_timer(*this);
  drop_output();
  forget_watches();
  if (switch_pending()) drop_switch();
  if (rare_ != nullptr) rare_->held.clear(scheduler_->pool_);
  if (machine_.current() != state::released && has(registered)) {
    scheduler_->slots_->remove(slot_);
    scheduler_->slot_freed();
  }
  take_protocol();
}

transport& stream_transport::start(std::unique_ptr<stream_transport> channel, protocol_ptr upper) {
  if (channel == nullptr || upper == nullptr)
    throw std::invalid_argument("sluice: a transport starts with a channel and a protocol, not null");
  if (channel->scheduler_->closing_all_)
    throw std::system_error(errc::closed, "sluice: nothing starts on a scheduler that is being destroyed");
  channel->register_self();
  stream_transport& self = *channel.release();
  self.adopt(std::move(upper));
  const cork_guard turn(*self.scheduler_);
  self.make_connection();
  if (self.scheduler_->ending_ != nullptr) self.shut_down();
  return self;
}

void stream_transport::register_self() {
  slot_ = scheduler_->slots_->put(*this);
  set(registered);
  ++scheduler_->counters_.transports_opened;
}

void stream_transport::adopt(protocol_ptr upper) noexcept {
  set(owns_protocol, upper.get_deleter().owned());
  set(buffered, upper->as_buffered() != nullptr);
  protocol_ = upper.release();
  update();
}

protocol_ptr stream_transport::take_protocol() noexcept {
  return protocol_ptr(std::exchange(protocol_, nullptr), detail::protocol_deleter(has(owns_protocol)));
}

void stream_transport::make_connection(bool closing) {
  set(protocol_told);
  perform(machine_.made(ways()));
  set(peer_done, ways() == connection_machine::ways::output_only);
  if (closing) perform(machine_.close(true));
  update();
  call("connection_made", [this] { protocol_->connection_made(*this); });
  if (has(eof_asked) && !machine_.is_closing()) write_eof_as_asked();
  update();
  watch_deadlines();
}

void stream_transport::close() {
  if (scheduler_->wrong_thread("transport::close")) return;
  perform(machine_.close(output_empty()));
}

void stream_transport::abort() {
  if (scheduler_->wrong_thread("transport::abort")) return;
  abort_with(errc::aborted);
}

void stream_transport::reset() {
  if (scheduler_->wrong_thread("transport::reset")) return;
  if (machine_.current() < state::finishing) kind_ = close_kind::reset;
  abort_with(errc::aborted);
}

void stream_transport::shut_down() {
  if (scheduler_->wrong_thread("transport::shut_down") || has(shutdown_asked) || machine_.is_closing()) return;
  set(shutdown_asked);
  scheduler_->defer(*this);
}

void stream_transport::tell_shutdown() {
  if (has(shutdown_asked)) ask_to_end();
}

void stream_transport::ask_to_end() {
  if (has(shutdown_told) || !machine_.is_live() || machine_.is_closing()) return;
  set(shutdown_told);
  shutdown_action answer = shutdown_action::close;
  call("shutting_down", [&] { answer = protocol_->shutting_down(); });
  if (answer == shutdown_action::close) close();
}

std::error_code stream_transport::closing_reason() const {
  return reason_category_ == nullptr ? std::error_code() : std::error_code(reason_value_, *reason_category_);
}

// The first reason is the one that the protocol hears of (rule C7).
void stream_transport::set_reason(std::error_code reason) noexcept {
  if (reason_category_ != nullptr || !reason) return;
  reason_category_ = &reason.category();
  reason_value_ = reason.value();
}

void stream_transport::abort_with(std::error_code reason) {
  const action next = machine_.abort();
  if (next == action::none) return;
  set_reason(reason);
  perform(next);
}

void stream_transport::failed(std::error_code error) {
  const cork_guard turn(*scheduler_);
  const action next = machine_.read_failed();
  if (next == action::abort) set_reason(error);
  perform(next);
}

void stream_transport::closed() {
  const cork_guard turn(*scheduler_);
  perform(machine_.goodbye_said());
}

void stream_transport::perform(action next) {
  switch (next) {
    case action::none:
    case action::deliver_eof:  // done where the event came from
    case action::deliver_lost: return;
    case action::end_output: end_output(); return;
    case action::flush_output:
      end_flow();
      start_deadline(close_time());
      update();
      return;
    case action::begin_close: begin_goodbye(); return;
    case action::drain_input: drain_input(); return;
    case action::abort: stop_everything(); return;
    case action::post_finish: scheduler_->defer(*this); return;
    case action::release:
      scheduler_->cancel_timer(*this);
      update();
      if (release() == progress::done) released();
      return;
  }
}

// From here on the only deadline is the close timeout.
void stream_transport::end_flow() noexcept {
  flow_.closed();
  stop_watching();
}

void stream_transport::begin_goodbye() {
  end_flow();
  update();
  kind_ = close_kind::graceful;
  if (begin_close(close_kind::graceful) == progress::done) {
    perform(machine_.goodbye_said());
  } else if (timer_index == no_timer) {
    start_deadline(close_time());
  }
}

void stream_transport::stop_everything() {
  end_flow();
  drop_output();
  scheduler_->cancel_timer(*this);
  update();
  if (kind_ == close_kind::graceful) kind_ = close_kind::abort;
  begin_close(kind_);  // whether it is done at once does not matter: nothing is waited for
  scheduler_->defer(*this);
}

void stream_transport::end_output() {
  if (const std::error_code error = shutdown_output())
    fail_output(error);
  else
    perform(machine_.output_ended());
  update();
}

// A write failed: nothing more is sent, but what the peer sent before is still read (rule W7).
void stream_transport::drain_input() {
  end_flow();
  drop_output();
  start_deadline(options_->close_timeout);
  update();
}

void stream_transport::fail_output(std::error_code error) {
  const action next = machine_.write_failed(may_deliver() && !input_ended());
  if (next != action::none) set_reason(error);
  perform(next);
}

// Where there is no memory for a deadline, there is no waiting.
void stream_transport::start_deadline(std::chrono::milliseconds delay) noexcept {
  if (delay.count() <= 0) return;
  try {
    scheduler_->set_timer(*this, detail::later(scheduler_->now(), detail::bounded(delay)));
  } catch (const std::bad_alloc&) {
    if (machine_.current() == state::lost)
      perform(machine_.linger_over());
    else
      abort_with(make_error_code(std::errc::not_enough_memory));
  }
}

void stream_transport::deadline_passed() {
  if (machine_.current() == state::lost)
    perform(machine_.linger_over());
  else if (watches_deadlines())
    look_at_deadlines();
  else
    abort_with(errc::timed_out);
}

void stream_transport::on_event(detail::event_node& node, detail::event kind) {
  auto& self = static_cast<stream_transport&>(node);
  const cork_guard turn(*self.scheduler_);
  switch (kind) {
    case detail::event::deferred: self.run_pending(); return;
    case detail::event::expired: self.deadline_passed(); return;
    case detail::event::retired: self.end_of_turn(); return;
  }
}

// Everything that was put off to a turn of its own.
void stream_transport::run_pending() {
  if (switch_pending()) apply_switch();
  tell_shutdown();
  tell_file();
  if (machine_.current() == state::finishing) {
    finish();
    return;
  }
  if (has(in_layer)) static_cast<layer*>(this)->send_more();
  deliver_held();
}

void stream_transport::finish() {
  if (switch_pending()) apply_switch();
  if (machine_.finish() != action::deliver_lost) return;
  drop_output();
  tell_file();
  scheduler_->cancel_timer(*this);
  if (protocol_ != nullptr) guarded("connection_lost", [this] { protocol_->connection_lost(closing_reason()); });
  tell_watches();
  scheduler_->retire(*this);
  const bool keep = kind_ == close_kind::graceful && reason_category_ == nullptr && !input_ended() && options_->linger.count() > 0 &&
                    !scheduler_->closing_all_ && lingers();
  perform(machine_.lost_delivered(keep));
  if (keep) start_deadline(options_->linger);
  update();
}

// The transport below a layer is lost: so is this one, now and not later (rule L6).
void stream_transport::finish_from_below(std::error_code reason) {
  const action next = machine_.abort();
  if (next != action::none) {
    set_reason(reason);
    if (!output_empty()) set_reason(errc::closed);  // somebody closed the one below under our feet
    perform(next);
  }
  finish();
}

void stream_transport::terminate(std::error_code reason) noexcept {
  const cork_guard turn(*scheduler_);
  kind_ = close_kind::abort;
  abort_with(reason);
  finish();
  perform(machine_.linger_over());
}

void stream_transport::released() {
  const cork_guard turn(*scheduler_);
  perform(machine_.released());
  scheduler_->slots_->remove(slot_);
  scheduler_->slot_freed();
  ++scheduler_->counters_.transports_closed;
  scheduler_->retire(*this);
}

// After `connection_lost` the protocol goes, after `released` everything (rules L9, L10).
void stream_transport::end_of_turn() noexcept {
  const protocol_ptr gone = take_protocol();
  if (rare_ != nullptr) rare_->held.clear(scheduler_->pool_);
  if (machine_.current() == state::released && !has(in_layer)) delete this;
}

void stream_transport::threw(const char* callback) noexcept {
  scheduler_->report({error_source::callback, id(), errc::protocol_threw, std::current_exception(), callback});
}

std::error_code stream_transport::shutdown_output() { return errc::not_supported; }
bool stream_transport::lingers() const { return false; }
std::size_t stream_transport::kept_bytes() const noexcept { return queue_.size() + (rare_ == nullptr ? 0 : rare_->held.size()); }
std::chrono::milliseconds stream_transport::close_time() const noexcept { return options_->close_timeout; }

std::size_t stream_transport::queued_beside_bytes() const noexcept { return 0; }
connection_machine::ways stream_transport::ways() const noexcept { return connection_machine::ways::both; }
void stream_transport::describe(info_query&) const {}

std::error_code stream_transport::set_options(const stream_options& options) {
  if (scheduler_->wrong_thread("transport::set_options")) return errc::misuse;
  if (options.write_buffer.low > options.write_buffer.high) {
    scheduler_->report_misuse(id(), "set_options: write_buffer.low is above write_buffer.high");
    return errc::misuse;
  }
  try {
    options_ = shared_stream_options::make(options);
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
  update();
  evaluate_flow();
  watch_deadlines();
  return {};
}

std::error_code stream_transport::set_write_buffer_limits(write_buffer_limits limits) {
  const auto marks = resolve(limits);
  if (!marks) {
    scheduler_->report_misuse(id(), "set_write_buffer_limits: low is above high");
    return errc::misuse;
  }
  stream_options changed = *options_;
  changed.write_buffer = *marks;
  return set_options(changed);
}

// The one place where everything derived from state, queue and holds is computed.
void stream_transport::update() noexcept {
  const bool plain_input = holds_ == 0 && machine_.delivers_input() && !has(buffered) && !has_held_input() && options_->max_receive == 0;
  const bool plain_output = machine_.takes_output() && queue_.empty() && !sends_file();
  attention_ = static_cast<std::uint8_t>((plain_input ? 0 : special_input) | (plain_output ? 0 : special_output));
  update_reading();
}

void stream_transport::update_reading() {
  const bool lingering = machine_.current() == state::lost && timer_index != no_timer;
  const bool wanted = lingering || (may_deliver() && !has_held_input() && !input_ended());
  if (wanted == wants_input()) return;
  set(channel_reading, wanted);
  if (machine_.current() >= state::releasing) return;
  wanted ? start_reading() : stop_reading();
}

}  // namespace sluice
