#pragma once

#include <chrono>

#include <sluice/scheduler.hpp>

namespace sluice::detail {

inline constexpr duration longest_span = std::chrono::hours(24 * 36525);  // a hundred years

// The one way from a span of time that somebody chose to one that can be reckoned with: negative is none, and one beyond all bounds, which
// would overflow when it is turned into nanoseconds or added to a point in time, is a hundred years.
template <typename Rep, typename Period>
constexpr duration bounded(std::chrono::duration<Rep, Period> span) noexcept {
  using seconds = std::chrono::duration<double>;
  if (!(seconds(span) < seconds(longest_span))) return longest_span;
  return span > span.zero() ? std::chrono::duration_cast<duration>(span) : duration::zero();
}

// `span` after `from`, or the end of time.
constexpr time_point later(time_point from, duration span) noexcept {
  return span > time_point::max() - from ? time_point::max() : from + span;
}

}  // namespace sluice::detail
