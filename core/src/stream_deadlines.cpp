#include <new>

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include "stream_parts.hpp"

// The deadlines of an open connection; those of closing and lingering are in stream_transport.cpp. They share the transport's one timer.

namespace sluice {

using verdict = detail::deadline_watch::verdict;

bool stream_transport::watches_deadlines() const noexcept { return rare_ != nullptr && rare_->deadlines.has_value(); }

// Only sets the timer, also where a deadline has passed: this may be a call of the user's, from inside any callback.
void stream_transport::watch_deadlines() noexcept {
  if (!machine_.is_live() || machine_.is_closing()) return;
  if (!detail::deadline_watch::is_wanted(*options_)) {
    stop_watching();
    return;
  }
  try {
    if (!watches_deadlines()) rare().deadlines.emplace(scheduler_->now());
    wait_for_deadlines();
  } catch (const std::bad_alloc&) {
    abort_with(make_error_code(std::errc::not_enough_memory));
  }
}

void stream_transport::stop_watching() noexcept {
  if (!watches_deadlines()) return;
  rare_->deadlines.reset();
  scheduler_->cancel_timer(*this);
}

void stream_transport::look_at_deadlines() {
  const time_point now = scheduler_->now();
  switch (rare_->deadlines->look(now, *options_, {counters_.receives, counters_.bytes_sent, has_queued_output()})) {
    case verdict::fine: break;
    case verdict::no_first_byte: abort_with(errc::first_byte_timeout); return;
    case verdict::idle: abort_with(errc::idle_timeout); return;
    case verdict::write_stalled: abort_with(errc::write_stalled); return;
    case verdict::lifetime_over: abort_with(errc::lifetime_over); return;
    case verdict::ask_to_end: ask_to_end(); break;
  }
  if (watches_deadlines()) wait_for_deadlines();  // else it is closing by now
}

void stream_transport::wait_for_deadlines() {
  const time_point next = rare_->deadlines->next(scheduler_->now(), *options_);
  if (next == time_point::max()) {
    scheduler_->cancel_timer(*this);
    return;
  }
  try {
    scheduler_->set_timer(*this, next);
  } catch (const std::bad_alloc&) {
    abort_with(make_error_code(std::errc::not_enough_memory));
  }
}

}  // namespace sluice
