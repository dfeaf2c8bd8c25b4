#include <sluice/end_watch.hpp>

#include <utility>

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include "stream_parts.hpp"

namespace sluice {

void end_watch::start(transport& target) {
  stop();
  target.add(*this);
}

void end_watch::stop() noexcept {
  if (place_ == nullptr) return;
  *place_ = next_;
  if (next_ != nullptr) next_->place_ = place_;
  place_ = nullptr;
  next_ = nullptr;
}

void stream_transport::add(end_watch& added) {
  end_watch*& first = rare().watches;
  added.next_ = first;
  added.place_ = &first;
  if (first != nullptr) first->place_ = &added.next_;
  first = &added;
}

// Nobody is told twice, whatever the handlers do.
void stream_transport::tell_watches() noexcept {
  while (rare_ != nullptr && rare_->watches != nullptr) {
    const end_watch::handler on_end = rare_->watches->on_end_;  // must outlive the watch
    rare_->watches->stop();
    detail::unique_function call = [&] { on_end(closing_reason()); };
    scheduler_->run_turn(call, error_source::scheduled, "end_watch");
  }
}

void stream_transport::forget_watches() noexcept {
  while (rare_ != nullptr && rare_->watches != nullptr) rare_->watches->stop();
}

}  // namespace sluice
