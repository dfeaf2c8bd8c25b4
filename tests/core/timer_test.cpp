#include <sluice/timer.hpp>

#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;

TEST_CASE("a timer fires once, its delay after it was started, and knows whether it is running and until when") {
  testing::manual_scheduler clock;
  int fired = 0;
  timer one(clock, [&] { ++fired; });
  CHECK_FALSE(one.is_running());
  clock.advance(1s);
  one.start(5s);
  CHECK(one.is_running());
  CHECK(one.deadline() == time_point(6s));
  clock.advance(4999ms);
  CHECK(fired == 0);
  clock.advance(1ms);
  CHECK(fired == 1);
  CHECK_FALSE(one.is_running());
  clock.advance(1h);
  CHECK(fired == 1);
}

TEST_CASE("a timer never fires inside start, and runs as a turn of its own") {
  testing::manual_scheduler clock;
  bool in_turn = false;
  timer one(clock, [&] { in_turn = clock.in_turn(); });
  one.start(0s);
  one.start(-1s);
  CHECK_FALSE(in_turn);
  clock.advance(0s);
  CHECK(in_turn);
}

TEST_CASE("K3 a negative delay is no delay, and one beyond all bounds is a hundred years") {
  testing::manual_scheduler clock;
  timer past(clock, [] {}), future(clock, [] {}), at_end(clock, [] {});
  past.start(duration::min());
  future.start(duration::max());
  at_end.start_at(time_point::max());
  CHECK(past.deadline() == clock.now());
  CHECK(future.deadline() == clock.now() + std::chrono::hours(24 * 36525));
  CHECK(at_end.deadline() == future.deadline());
  at_end.start(std::chrono::milliseconds::max());
  past.start(std::chrono::hours::min());
  CHECK(past.deadline() == clock.now());
  CHECK(at_end.deadline() == future.deadline());
  at_end.start(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
  CHECK(at_end.deadline() == future.deadline());
  clock.advance(duration::max());
  future.start(1s);
  CHECK(future.deadline() == time_point::max());
}

TEST_CASE("starting a running timer moves it, and stopping one that is not running does nothing") {
  testing::manual_scheduler clock;
  std::vector<time_point> fired;
  timer one(clock, [&] { fired.push_back(clock.now()); });
  one.stop();
  one.start(1s);
  one.start(3s);
  one.start_at(time_point(2s));
  clock.advance(10s);
  CHECK(fired == std::vector{time_point(2s)});
  one.start(1s);
  one.stop();
  one.stop();
  clock.advance(10s);
  CHECK(fired.size() == 1);
}

TEST_CASE("the function may start its own timer again, and captures keep their state between calls") {
  testing::manual_scheduler clock;
  std::optional<timer> one;
  std::vector<int> rounds;
  one.emplace(clock, [&, round = 0]() mutable {
    rounds.push_back(++round);
    if (round < 3) one->start(1s);
  });
  one->start(1s);
  clock.advance(1h);
  CHECK(rounds == std::vector{1, 2, 3});
}

TEST_CASE("the function may stop its own timer, and destroy it, and its captures live until it returns") {
  testing::manual_scheduler clock;
  std::optional<timer> one;
  std::string seen;
  one.emplace(clock, [&, text = std::string("still here, though the timer is gone")] {
    one->start(1s);
    one->stop();
    one.reset();
    seen = text;
  });
  one->start(1s);
  clock.advance(1h);
  CHECK(seen == "still here, though the timer is gone");
}

TEST_CASE("a timer that is destroyed never fires, and gives its captures back") {
  testing::manual_scheduler clock;
  const auto captured = std::make_shared<int>(1);
  {
    timer one(clock, [captured] { FAIL("was destroyed"); });
    one.start(1s);
    CHECK(captured.use_count() == 2);
  }
  CHECK(captured.use_count() == 1);
  clock.advance(2s);
}

TEST_CASE("a timer may stop, move and destroy others that are due at the same time") {
  testing::manual_scheduler clock;
  std::string order;
  timer stopped(clock, [&] { order += "stopped "; });
  timer moved(clock, [&] { order += "moved "; });
  std::optional<timer> destroyed(std::in_place, clock, [&] { order += "destroyed "; });
  timer last(clock, [&] { order += "last "; });
  timer first(clock, [&] {
    stopped.stop();
    destroyed.reset();
    moved.start(1s);
    order += "first ";
  });
  first.start(1s);
  for (timer* one : {&stopped, &moved, &*destroyed, &last}) one->start(1s);
  clock.advance(1h);
  CHECK(order == "first last moved ");
}

TEST_CASE("a function that throws is reported, and its timer can be started again") {
  testing::manual_scheduler clock;
  std::string report;
  clock.on_error([&](const error_event& event) { report = describe(event); });
  int calls = 0;
  timer one(clock, [&] {
    if (++calls == 1) throw std::runtime_error("once");
  });
  one.start(1s);
  clock.advance(1s);
  CHECK(report == "sluice: scheduled function: timer: once");
  one.start(1s);
  clock.advance(1s);
  CHECK(calls == 2);
}

TEST_CASE("a timer may outlive its scheduler if it is not started again") {
  auto clock = std::make_unique<testing::manual_scheduler>();
  timer one(*clock, [] { FAIL("the scheduler is gone"); });
  one.start(1s);
  timer never_started(*clock, [] { FAIL("the scheduler is gone"); });
  clock.reset();
  CHECK_FALSE(one.is_running());
  one.stop();
}

TEST_CASE("starting a timer cannot fail: each keeps its place from construction on" *
          doctest::skip(!testing::allocation_counter::available())) {
  testing::manual_scheduler clock;
  int fired = 0;
  std::vector<std::unique_ptr<timer>> many;
  for (int i = 0; i < 1000; ++i) many.push_back(std::make_unique<timer>(clock, [&] { ++fired; }));
  for (int i = 0; i < 500; ++i) many.pop_back();
  for (int i = 0; i < 100; ++i) many.push_back(std::make_unique<timer>(clock, [&] { ++fired; }));
  const testing::allocation_counter counter;
  for (const auto& each : many) each->start(1s);
  clock.advance(1s);
  for (const auto& each : many) each->start(1s);
  clock.advance(1s);
  CHECK(counter.counts().allocations == 0);
  CHECK(fired == 1200);
}
