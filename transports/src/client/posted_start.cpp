#include "posted_start.hpp"

#include <sluice/detail/time_span.hpp>
#include <sluice/error.hpp>

#include <algorithm>
#include <utility>

namespace sluice::detail {

posted_start::posted_start(loop& owner, try_function tried, connect_handler done, std::chrono::milliseconds timeout)
    : resource(owner),
      loop_(owner),
      try_(std::move(tried)),
      done_(std::move(done)),
      next_(owner, [this] { try_now(); }),
      in_progress_(!scheduler_ended()) {
  if (timeout.count() > 0) deadline_ = later(owner.now(), bounded(timeout));
  if (in_progress_) next_.start(duration::zero());
}

posted_start::~posted_start() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void posted_start::detach(std::unique_ptr<connecting::attempt> self) noexcept {
  if (in_progress_) self_ = std::move(self);
}

void posted_start::scheduler_ends() noexcept {
  in_progress_ = false;
  next_.stop();
  const auto last = std::move(self_);
}

void posted_start::shut_down() {
  cancelled_ = true;
  if (in_progress_) next_.start(duration::zero());
}

// The protocol's `connection_made` runs in here, and may end this attempt.
void posted_start::try_now() {
  constexpr std::chrono::milliseconds longest_pause(100);
  if (cancelled_) return finish({errc::cancelled, "this program is shutting down"});
  if (deadline_ && loop_.now() >= *deadline_) return finish(make_error_code(errc::timed_out));
  bool destroyed = false;
  destroyed_ = &destroyed;
  const try_function running = std::move(try_);
  const std::optional<result<transport&>> outcome = running();
  if (destroyed) return;
  destroyed_ = nullptr;
  if (outcome) return finish(*outcome);
  try_ = running;
  pause_ = std::min(2 * pause_, longest_pause);
  next_.start(deadline_ ? std::min<duration>(pause_, *deadline_ - loop_.now()) : duration(pause_));
}

void posted_start::finish(const result<transport&>& outcome) {
  in_progress_ = false;
  const auto last = std::move(self_);
  if (const connect_handler done = std::move(done_)) done(outcome);
}

}  // namespace sluice::detail
