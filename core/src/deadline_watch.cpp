#include <sluice/detail/deadline_watch.hpp>

#include <algorithm>

#include <sluice/detail/time_span.hpp>

namespace sluice::detail {
namespace {

using std::chrono::milliseconds;

constexpr int looks_per_deadline = 8;
constexpr milliseconds shortest_wait(1);

bool is_set(milliseconds limit) noexcept { return limit.count() > 0; }

bool is_over(time_point since, milliseconds limit, time_point now) noexcept { return is_set(limit) && now - since >= bounded(limit); }

time_point end_of(time_point since, milliseconds limit) noexcept { return later(since, bounded(limit)); }

// Either the deadline itself or, sooner, the next look at whether it has moved.
time_point next_look(time_point since, milliseconds limit, time_point now) noexcept {
  const duration step = std::max<duration>(bounded(limit) / looks_per_deadline, shortest_wait);
  return std::min(end_of(since, limit), later(now, step));
}

}  // namespace

bool deadline_watch::is_wanted(const stream_options& options) noexcept {
  return is_set(options.first_byte_timeout) || is_set(options.idle_timeout) || is_set(options.write_stall_timeout) ||
         is_set(options.lifetime);
}

auto deadline_watch::look(time_point now, const stream_options& options, const activity& seen) noexcept -> verdict {
  remember(now, seen);
  if (!is_over(begin_, options.lifetime, now)) asked_ = false;  // it was made longer since
  if (asked_ && is_over(asked_at_, options.close_timeout, now)) return verdict::lifetime_over;
  if (seen.output_queued && is_over(stuck_since_, options.write_stall_timeout, now)) return verdict::write_stalled;
  if (seen.receives == 0 && is_over(begin_, options.first_byte_timeout, now)) return verdict::no_first_byte;
  if (is_over(quiet_since_, options.idle_timeout, now)) return verdict::idle;
  if (asked_ || !is_over(begin_, options.lifetime, now)) return verdict::fine;
  asked_ = true;
  asked_at_ = now;
  return verdict::ask_to_end;
}

void deadline_watch::remember(time_point now, const activity& seen) noexcept {
  const bool sent = seen.bytes_sent != last_.bytes_sent;
  if (sent || seen.receives != last_.receives) quiet_since_ = now;
  if (sent || !last_.output_queued) stuck_since_ = now;
  last_ = seen;
}

time_point deadline_watch::next(time_point now, const stream_options& options) const noexcept {
  time_point at = time_point::max();
  const auto wait_for = [&](time_point when) { at = std::min(at, when); };
  if (last_.receives == 0 && is_set(options.first_byte_timeout)) wait_for(end_of(begin_, options.first_byte_timeout));
  if (is_set(options.idle_timeout)) wait_for(next_look(quiet_since_, options.idle_timeout, now));
  if (is_set(options.write_stall_timeout)) wait_for(next_look(last_.output_queued ? stuck_since_ : now, options.write_stall_timeout, now));
  if (!asked_ && is_set(options.lifetime)) wait_for(end_of(begin_, options.lifetime));
  if (asked_ && is_set(options.close_timeout)) wait_for(end_of(asked_at_, options.close_timeout));
  return at;
}

}  // namespace sluice::detail
