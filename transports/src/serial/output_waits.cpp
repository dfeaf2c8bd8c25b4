#include "output_waits.hpp"

#include <sluice/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice::serial {
namespace {

constexpr duration shortest_poll = std::chrono::milliseconds(1);
constexpr duration longest_poll = std::chrono::milliseconds(20);

}  // namespace

output_waits::output_waits(scheduler& owner, measure left) : owner_(owner), left_(std::move(left)), poll_(owner, [this] { look(); }) {}

void output_waits::add(std::uint64_t place, time_point deadline, handler done) {
  waits_.push_back({place, deadline, false, std::move(done)});
  if (!holding_) poll_.start(duration::zero());
}

void output_waits::add_hold(std::uint64_t place, time_point deadline, handler done, duration length) {
  waits_.push_back({place, deadline, true, std::move(done), length});
  if (!holding_) poll_.start(duration::zero());
}

void output_waits::end_hold() {
  if (!std::exchange(holding_, false)) return;
  waits_.pop_front();
  if (!waits_.empty()) poll_.start(duration::zero());
}

double output_waits::seconds_held() const noexcept {
  double sum = 0;
  for (std::size_t i = holding_ ? 1 : 0; i < waits_.size(); ++i) sum += std::chrono::duration<double>(waits_[i].length).count();
  return sum;
}

std::uint64_t output_waits::limit() const noexcept {
  for (const wait& each : waits_)
    if (each.holds) return each.place;
  return std::numeric_limits<std::uint64_t>::max();
}

void output_waits::output_discarded(std::uint64_t end) noexcept {
  for (wait& each : waits_) each.place = std::min(each.place, end);
}

void output_waits::cancel() noexcept {
  poll_.stop();
  std::deque<wait> cancelled = std::exchange(waits_, {});
  if (std::exchange(holding_, false)) cancelled.pop_front();
  for (wait& each : cancelled) owner_.call_soon([done = std::move(each.done)] { done(make_error_code(sluice::errc::cancelled), 0); });
}

void output_waits::look() {
  while (!holding_ && !waits_.empty() && look_at_first()) {
  }
}

// True if it has been told.
bool output_waits::look_at_first() {
  const remaining left = left_(waits_.front().place);
  if (left.error || left.bytes == 0) {
    tell_first(left.error, left.bytes);
    return true;
  }
  const time_point now = owner_.now();
  if (now >= waits_.front().deadline) {
    tell_first(make_error_code(sluice::errc::timed_out), left.bytes);
    return true;
  }
  poll_.start_at(std::min(now + std::clamp(left.expected, shortest_poll, longest_poll), waits_.front().deadline));
  return false;
}

// A hold stays in front until it is ended; the handler may end it, add others or cancel all.
void output_waits::tell_first(std::error_code error, std::size_t left) {
  handler done = std::move(waits_.front().done);
  if (waits_.front().holds)
    holding_ = true;
  else
    waits_.pop_front();
  if (done) done(error, left);
}

}  // namespace sluice::serial
