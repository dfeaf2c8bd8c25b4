#include <sluice/detail/deadline_watch.hpp>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;
using detail::deadline_watch;
using verdict = deadline_watch::verdict;

namespace {

constexpr time_point begin{};

stream_options with_idle(std::chrono::milliseconds limit) {
  stream_options options;
  options.idle_timeout = limit;
  return options;
}

}  // namespace

TEST_CASE("a connection without deadlines is not watched") {
  CHECK_FALSE(deadline_watch::is_wanted({}));
  CHECK(deadline_watch::is_wanted(with_idle(1ms)));
  CHECK(deadline_watch(begin).next(begin, {}) == time_point::max());
}

TEST_CASE("C8 a limit below zero is none, and takes nothing from another one") {
  stream_options options = with_idle(1s);
  options.lifetime = -1h;
  CHECK(deadline_watch::is_wanted(options));
  CHECK_FALSE(deadline_watch::is_wanted(with_idle(-1s)));
  deadline_watch watch(begin);
  CHECK(watch.look(begin, options, {1, 0, false}) == verdict::fine);
  CHECK(watch.next(begin, options) == begin + 125ms);
}

TEST_CASE("C8 limits beyond all bounds are a hundred years") {
  stream_options options = with_idle(std::chrono::milliseconds::max());
  options.first_byte_timeout = options.write_stall_timeout = options.lifetime = options.close_timeout = options.idle_timeout;
  deadline_watch watch(begin);
  CHECK(deadline_watch::is_wanted(options));
  CHECK(watch.look(begin + 24h, options, {0, 0, true}) == verdict::fine);
  CHECK(watch.next(begin + 24h, options) > begin + 24h * 365);
  CHECK(watch.look(begin + 99 * 24h * 365, options, {1, 0, true}) == verdict::fine);
  CHECK(watch.look(begin + 101 * 24h * 366, options, {2, 1, true}) == verdict::ask_to_end);
}

TEST_CASE("silence is measured from the look that saw the last byte") {
  const stream_options options = with_idle(80s);
  deadline_watch watch(begin);
  CHECK(watch.look(begin + 79s, options, {}) == verdict::fine);
  CHECK(watch.next(begin + 79s, options) == begin + 80s);
  CHECK(watch.look(begin + 80s, options, {1, 0, false}) == verdict::fine);
  CHECK(watch.next(begin + 80s, options) == begin + 90s);  // an eighth of the deadline
  CHECK(watch.look(begin + 90s, options, {1, 5, false}) == verdict::fine);
  CHECK(watch.look(begin + 169s, options, {1, 5, true}) == verdict::fine);
  CHECK(watch.look(begin + 170s, options, {1, 5, true}) == verdict::idle);
}

TEST_CASE("a very short deadline is looked at once a millisecond") {
  CHECK(deadline_watch(begin).next(begin, with_idle(4ms)) == begin + 1ms);
}

TEST_CASE("the first byte is waited for from the beginning, and only for the first") {
  stream_options options;
  options.first_byte_timeout = 10s;
  deadline_watch silent(begin);
  CHECK(silent.next(begin, options) == begin + 10s);
  CHECK(silent.look(begin + 9s, options, {0, 100, false}) == verdict::fine);
  CHECK(silent.look(begin + 10s, options, {0, 100, false}) == verdict::no_first_byte);
  deadline_watch talking(begin);
  CHECK(talking.look(begin + 10s, options, {1, 0, false}) == verdict::fine);
  CHECK(talking.next(begin + 10s, options) == time_point::max());
}

TEST_CASE("output is stuck while it waits and none of it moves") {
  stream_options options;
  options.write_stall_timeout = 8s;
  deadline_watch watch(begin);
  CHECK(watch.look(begin + 100s, options, {0, 0, false}) == verdict::fine);  // nothing waits
  CHECK(watch.look(begin + 101s, options, {0, 0, true}) == verdict::fine);
  CHECK(watch.next(begin + 101s, options) == begin + 102s);
  CHECK(watch.look(begin + 108s, options, {0, 1, true}) == verdict::fine);  // one byte moved
  CHECK(watch.look(begin + 115s, options, {9, 1, true}) == verdict::fine);  // input does not count
  CHECK(watch.look(begin + 116s, options, {9, 1, true}) == verdict::write_stalled);
}

TEST_CASE("a lifetime first asks, and then allows the close timeout") {
  stream_options options;
  options.lifetime = 60s;
  options.close_timeout = 5s;
  deadline_watch watch(begin);
  CHECK(watch.next(begin, options) == begin + 60s);
  CHECK(watch.look(begin + 59s, options, {1, 1, false}) == verdict::fine);
  CHECK(watch.look(begin + 60s, options, {2, 2, false}) == verdict::ask_to_end);
  CHECK(watch.next(begin + 60s, options) == begin + 65s);
  CHECK(watch.look(begin + 64s, options, {3, 3, false}) == verdict::fine);
  CHECK(watch.look(begin + 65s, options, {4, 4, false}) == verdict::lifetime_over);
}

TEST_CASE("without a close timeout a lifetime only asks") {
  stream_options options;
  options.lifetime = 60s;
  options.close_timeout = 0s;
  deadline_watch watch(begin);
  CHECK(watch.look(begin + 61s, options, {}) == verdict::ask_to_end);
  CHECK(watch.look(begin + 99h, options, {}) == verdict::fine);
  CHECK(watch.next(begin + 99h, options) == time_point::max());
}

TEST_CASE("C8 a lifetime that is made longer when it is over takes the cut-off back") {
  stream_options options;
  options.lifetime = 60s;
  options.close_timeout = 5s;
  deadline_watch watch(begin);
  CHECK(watch.look(begin + 60s, options, {1, 1, false}) == verdict::ask_to_end);
  options.lifetime = 120s;
  CHECK(watch.look(begin + 65s, options, {2, 2, false}) == verdict::fine);
  CHECK(watch.next(begin + 65s, options) == begin + 120s);
  CHECK(watch.look(begin + 120s, options, {3, 3, false}) == verdict::ask_to_end);
  CHECK(watch.look(begin + 125s, options, {4, 4, false}) == verdict::lifetime_over);
}
