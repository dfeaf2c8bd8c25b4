#include <sluice/loop.hpp>

#include <sluice/error.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "null_channel.hpp"

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;

// Collects what the error hook gets.
struct error_log {
  explicit error_log(scheduler& owner) {
    owner.on_error([this](const error_event& event) { lines.push_back(describe(event)); });
  }
  std::vector<std::string> lines;
};

// Notes where it is destroyed.
struct death_note {
  explicit death_note(std::thread::id& place) : where(&place) {}
  death_note(death_note&& other) noexcept : where(std::exchange(other.where, nullptr)) {}
  ~death_note() {
    if (where != nullptr) *where = std::this_thread::get_id();
  }
  std::thread::id* where;
};

}  // namespace

TEST_CASE("a loop with nothing to do returns from run at once, and may run again") {
  loop one;
  one.run();
  bool ran = false;
  one.call_soon([&] { ran = true; });
  one.run();
  CHECK(ran);
  one.run();
}

TEST_CASE("run goes on while a timer is running, a transport is open or a posted function waits, and not for a remote") {
  loop one;
  const loop::remote idle(one);
  std::vector<std::string> order;
  timer late(one, [&] {
    order.emplace_back("timer");
    one.post([&] { order.emplace_back("posted"); });
  });
  late.start(1ms);
  one.run();
  CHECK(order == std::vector<std::string>{"timer", "posted"});

  testing::recording_protocol upper;
  start_null_channel(one, borrow(upper));
  const loop::remote way_in(one);
  std::thread closer([way_in, &upper] {
    for (int i = 0; i < 100; ++i) way_in.post([] {});
    way_in.post([&upper] { upper.connection()->close(); });
  });
  one.run();
  CHECK(upper.trace() == "made, lost");
  closer.join();
}

TEST_CASE("stop makes run return with timers still running, and the next run goes on with them") {
  loop one;
  int fired = 0;
  timer later(one, [&] { ++fired; });
  later.start(1ms);
  one.call_soon([&] { one.stop(); });
  one.run();
  CHECK(fired == 0);
  CHECK(later.is_running());
  one.run();
  CHECK(fired == 1);
}

TEST_CASE("stop before run makes the next run return at once, and only that one") {
  loop one;
  int calls = 0;
  one.call_soon([&] { ++calls; });
  one.stop();
  one.run();
  CHECK(calls == 0);
  one.run();
  CHECK(calls == 1);
}

TEST_CASE("run inside run is misuse and does nothing") {
  loop one;
  error_log errors(one);
  one.call_soon([&] { one.run(); });
  one.run();
  CHECK(errors.lines ==
        std::vector<std::string>{"sluice: misuse: loop::run was called from inside loop::run: " + make_error_code(errc::misuse).message()});
}

TEST_CASE("K1 post from another thread wakes a sleeping loop") {
  loop one;
  timer guard(one, [&] { FAIL("the loop was not woken"); });
  guard.start(1min);
  std::thread::id ran_in;
  std::thread poster;
  one.call_soon([&] {
    poster = std::thread([&] {
      one.post([&] {
        ran_in = std::this_thread::get_id();
        guard.stop();
      });
    });
  });
  one.run();
  poster.join();
  CHECK(ran_in == std::this_thread::get_id());
}

TEST_CASE("K1 functions of each thread run in the order in which it posted them, however many threads post") {
  constexpr int threads = 4, each = 5000;
  loop one;
  std::vector<int> next(threads, 0);
  bool in_order = true;
  int left = threads * each;
  timer open(one, [] {});
  open.start(1min);
  std::latch begin(threads);
  std::vector<std::thread> posters;
  posters.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t, way_in = loop::remote(one)] {
      begin.arrive_and_wait();
      for (int i = 0; i < each; ++i) {
        way_in.post([&, t, i] {
          auto& expected = next[static_cast<std::size_t>(t)];
          in_order = in_order && expected == i;
          ++expected;
          if (--left == 0) open.stop();
        });
      }
    });
  }
  one.run();
  for (std::thread& poster : posters) poster.join();
  CHECK(left == 0);
  CHECK(in_order);
  CHECK(one.counters().functions_posted == threads * each);
}

TEST_CASE("K1 functions that wait together run in one turn, a function posted by one of them later") {
  loop one;
  std::vector<int> order;
  bool in_turn = true;
  one.post([&] {
    order.push_back(1);
    one.post([&] { order.push_back(3); });
    in_turn = in_turn && one.in_turn();
  });
  one.post([&] { order.push_back(2); });
  one.run();
  CHECK(order == std::vector{1, 2, 3});
  CHECK(in_turn);
  CHECK(one.counters().turns_posted == 2);
}

TEST_CASE("K1 a posted function that throws is reported, and the others run") {
  loop one;
  error_log errors(one);
  int ran = 0;
  one.post([&] { ++ran; });
  one.post([] { throw std::runtime_error("no luck"); });
  one.post([&] { ++ran; });
  one.run();
  CHECK(ran == 2);
  CHECK(errors.lines == std::vector<std::string>{"sluice: scheduled function: post: no luck"});
}

TEST_CASE("K1 a remote outlives its loop: post returns false and destroys the function in the calling thread") {
  auto one = std::make_unique<loop>();
  const loop::remote way_in(*one);
  loop::remote copy = way_in;
  CHECK(way_in.post([] {}));
  one.reset();
  CHECK_FALSE(way_in.post([] { FAIL("called after the loop was gone"); }));
  std::thread::id died_in;
  std::thread::id other;
  std::thread caller([&] {
    other = std::this_thread::get_id();
    CHECK_FALSE(copy.post([note = death_note(died_in)] { FAIL("called after the loop was gone"); }));
    CHECK(died_in == other);
  });
  caller.join();
  CHECK_FALSE(loop::remote().post([] {}));
}

TEST_CASE("K1 posting may go on while the loop is destroyed: each function is either destroyed by it or refused") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> alive = 0;
    struct counted {
      explicit counted(std::atomic<int>& alive_count) : count(&alive_count) { ++*count; }
      counted(const counted& other) : count(other.count) { ++*count; }
      ~counted() { --*count; }
      void operator()() const {}
      std::atomic<int>* count;
    };
    auto one = std::make_unique<loop>();
    std::latch begun(1);
    std::thread poster([&alive, &begun, way_in = loop::remote(*one)] {
      for (int i = 0; way_in.post(counted(alive)); ++i)
        if (i == 10) begun.count_down();
      begun.count_down(begun.try_wait() ? 0 : 1);
    });
    begun.wait();
    one.reset();
    poster.join();
    CHECK(alive == 0);
  }
}

TEST_CASE("K1 submit hands the result to the thread that waits for it") {
  loop one;
  std::thread asker([way_in = loop::remote(one), &one] {
    CHECK(way_in.submit([] { return std::this_thread::get_id(); }).get() != std::this_thread::get_id());
    CHECK(*way_in.submit([] { return std::make_unique<int>(7); }).get() == 7);
    one.submit([&] { one.stop(); }).get();
  });
  timer open(one, [] {});
  open.start(1min);
  one.run();
  asker.join();
}

TEST_CASE("K1 what a submitted function throws is thrown by its future, and not reported") {
  loop one;
  const error_log errors(one);
  auto answer = one.submit([]() -> int { throw std::out_of_range("x"); });
  one.run();
  CHECK_THROWS_AS(answer.get(), std::out_of_range);
  CHECK(errors.lines.empty());
}

TEST_CASE("K1 a future of submit is broken when the loop ends before the function ran") {
  auto one = std::make_unique<loop>();
  auto waiting = one->submit([] { return 1; });
  const loop::remote way_in(*one);
  one.reset();
  CHECK_THROWS_AS(waiting.get(), std::future_error);
  CHECK_THROWS_AS(way_in.submit([] {}).get(), std::future_error);
}

TEST_CASE("K2 a call from a wrong thread is reported by name and does nothing") {
  if (!scheduler::checks_thread()) return;
  loop one;
  error_log errors(one);
  timer one_timer(one, [] {});
  std::thread([&] {
    one.stop();
    one.call_soon([] { FAIL("called from a wrong thread"); });
    one_timer.start(1ms);
    one.on_signal(10, [] {});
    one.remove_signal(10);
    one.now();
    CHECK_FALSE(one.run_in_executor([] { FAIL("ran"); }, [](job_result<void>) { FAIL("completed"); }));
    CHECK_FALSE(one.run_in_thread([] { FAIL("ran"); }, [](job_result<void>) { FAIL("completed"); }));
  }).join();
  CHECK_FALSE(one_timer.is_running());
  one.run();
  const std::vector<std::string> calls = {
      "loop::stop", "scheduler::call_soon",  "timer::start",       "loop::on_signal", "loop::remove_signal",
      "loop::now",  "loop::run_in_executor", "loop::run_in_thread"};
  REQUIRE(errors.lines.size() == calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    CAPTURE(errors.lines[i]);
    CHECK(errors.lines[i].starts_with("sluice: misuse: " + calls[i] + " was called from another thread than the scheduler's"));
  }
}

TEST_CASE("K2 a loop that was made in one thread belongs to the one that runs it") {
  loop one;
  error_log errors(one);
  int calls = 0;
  timer late(one, [&] { ++calls; });
  one.call_soon([&] {
    ++calls;
    late.start(0ns);
  });
  std::thread([&] { one.run(); }).join();
  CHECK(calls == 2);
  CHECK(errors.lines.empty());
}

TEST_CASE("K3 what is called soon in a turn runs in the next one, after what was ready") {
  loop one;
  std::vector<int> order;
  one.call_soon([&] {
    order.push_back(1);
    one.call_soon([&] { order.push_back(3); });
  });
  one.call_soon([&] { order.push_back(2); });
  one.run();
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("K3 functions that call themselves soon for ever do not keep timers and posted functions from running") {
  loop one;
  bool on = true;
  std::function<void()> again = [&] {
    if (on) one.call_soon(again);
  };
  again();
  timer zero(one, [&] { one.post([&] { on = false; }); });
  zero.start(1ms);
  one.run();
  CHECK_FALSE(on);
}

TEST_CASE("K3 a timer that starts itself with no delay keeps no other event waiting") {
  loop one;
  int rounds = 0;
  bool stop = false;
  std::optional<timer> self;
  self.emplace(one, [&] {
    if (++rounds == 5) one.post([&] { stop = true; });
    if (!stop) self->start(0ns);
  });
  self->start(0ns);
  one.run();
  CHECK(rounds >= 6);
  CHECK(rounds <= 8);
}

TEST_CASE("K3 timers of one deadline fire in the order in which they were started, a delay of less than nothing at once") {
  loop one;
  std::vector<int> order;
  timer a(one, [&] { order.push_back(1); }), b(one, [&] { order.push_back(2); }), c(one, [&] { order.push_back(3); });
  timer past(one, [&] { order.push_back(0); });
  timer never(one, [&] { order.push_back(9); });
  one.call_soon([&] {
    const time_point then = one.now() + 2ms;
    c.start_at(then + 1us);
    a.start_at(then);
    b.start_at(then);
    past.start(-1h);
    never.start(duration::max());
  });
  timer watcher(one, [&] { never.stop(); });
  watcher.start(20ms);
  one.run();
  CHECK(order == std::vector{0, 1, 2, 3});
}

TEST_CASE("K3 a timer at the beginning of time fires, and one at its end can be stopped") {
  loop one;
  int fired = 0;
  timer first(one, [&] { ++fired; }), last(one, [&] { ++fired; });
  first.start_at(time_point::min());
  last.start_at(time_point::max());
  one.call_soon([&] { last.stop(); });
  one.run();
  CHECK(fired == 1);
}

TEST_CASE("K3 a timer never fires before its deadline, whatever part of a millisecond it was started in") {
  loop one;
  for (const duration delay : {duration(1), duration(1us), duration(300us), duration(999us), duration(1ms), duration(2500us)}) {
    clock_type::time_point fired;
    timer late(one, [&] { fired = clock_type::now(); });
    const auto started = clock_type::now();
    late.start(delay);
    one.run();
    CHECK(fired - started >= delay);
  }
}

TEST_CASE("K3 a timer that is moved to an earlier or a later time fires once, at its last deadline") {
  loop one;
  std::vector<std::string> order;
  timer moved_later(one, [&] { order.emplace_back("later"); });
  timer moved_earlier(one, [&] { order.emplace_back("earlier"); });
  timer middle(one, [&] { order.emplace_back("middle"); });
  moved_later.start(1ms);
  moved_earlier.start(1min);
  middle.start(4ms);
  moved_later.start(8ms);
  moved_earlier.start(2ms);
  one.run();
  CHECK(order == std::vector<std::string>{"earlier", "middle", "later"});
}

TEST_CASE("K3 time stands still within a turn and outside run it does not") {
  loop one;
  one.call_soon([&] {
    const time_point before = one.now();
    const auto until = clock_type::now() + 2ms;
    while (clock_type::now() < until) continue;
    CHECK(one.now() == before);
  });
  one.run();
  const time_point before = one.now();
  const auto until = clock_type::now() + 1us;
  while (clock_type::now() < until) continue;
  CHECK(one.now() > before);
}

TEST_CASE("K3 timers, deferred calls and posted functions cost no allocation in the steady state") {
  if (!testing::allocation_counter::available()) return;
  loop one;
  std::optional<testing::allocation_counter> counter;
  std::size_t allocations = 1;
  int rounds = 0;
  std::optional<timer> next;
  next.emplace(one, [&] {
    if (++rounds == 10) counter.emplace();
    if (rounds == 100) {
      allocations = counter->counts().allocations;
      return;
    }
    for (int i = 0; i < 3; ++i) {
      one.call_soon([] {});
      one.post([&, i] {
        if (i == 2) next->start(duration(rounds % 2));
      });
    }
  });
  next->start(0ns);
  one.run();
  CHECK(rounds == 100);
  CHECK(allocations == 0);
}

TEST_CASE("X8 an error hook that throws does not stop the loop") {
  loop one;
  int reports = 0, calls = 0;
  one.on_error([&](const error_event&) {
    ++reports;
    throw std::runtime_error("the hook");
  });
  one.post([] { throw std::runtime_error("the function"); });
  one.post([&] { ++calls; });
  one.run();
  CHECK(reports == 1);
  CHECK(calls == 1);
}

TEST_CASE("under stop_and_rethrow the first error stops the loop and comes out of run, which may be called again") {
  loop one;
  one.on_error(stop_and_rethrow);
  int calls = 0;
  timer open(one, [] {});
  open.start(1min);
  one.call_soon([] { throw std::out_of_range("from a call"); });
  one.post([&] { ++calls; });
  CHECK_THROWS_WITH_AS(one.run(), "from a call", std::out_of_range);
  open.start(1ms);
  one.run();
  CHECK(calls == 1);
}

TEST_CASE("under stop_and_rethrow an error outside run comes out of the next run, before anything is called") {
  loop one;
  one.on_error(stop_and_rethrow);
  one.report_misuse(0, "nonsense");
  one.call_soon([] { FAIL("called"); });
  CHECK_THROWS_AS(one.run(), std::system_error);
}

TEST_CASE("L14 destroying a loop tells each open transport once, from the destructor, and reports what was open as one leak") {
  auto one = std::make_unique<loop>();
  loop& owner = *one;
  error_log errors(owner);
  testing::recording_protocol first, second, closed;
  start_null_channel(owner, borrow(first));
  start_null_channel(owner, borrow(second));
  start_null_channel(owner, borrow(closed)).close();
  timer later(owner, [&] { owner.stop(); });
  later.start(0ns);
  owner.run();
  first.on_lost = [&](std::error_code) {
    CHECK_FALSE(owner.post([] { FAIL("posted from the destructor"); }));
    owner.call_soon([] { FAIL("called soon from the destructor"); });
    CHECK(first.connection()->write(as_bytes("late")) == write_status::dropped);
  };
  owner.post([] { FAIL("posted before the destructor"); });
  CHECK(owner.open_transports() == 2);
  one.reset();
  CHECK(first.trace() == "made, lost sluice:1");
  CHECK(second.trace() == "made, lost sluice:1");
  CHECK(closed.trace() == "made, lost");
  REQUIRE(errors.lines.size() == 1);
  CHECK(errors.lines[0].starts_with("sluice: leak: open transports: 1 2: "));
}

TEST_CASE("a loop may be destroyed with timers running, functions waiting, and timers owned by those functions") {
  std::optional<timer> outlives;
  {
    loop one;
    outlives.emplace(one, [] {});
    outlives->start(1s);
    auto owned = std::make_unique<timer>(one, [] {});
    owned->start(1ms);
    one.call_soon([owned = std::move(owned)] {});
    auto posted = std::make_unique<timer>(one, [] {});
    posted->start(0ns);
    one.post([posted = std::move(posted)] {});
  }
  CHECK_FALSE(outlives->is_running());
}

TEST_CASE("loops in several threads do not disturb each other") {
  loop hub;
  timer open(hub, [] { FAIL("no answers within a minute"); });
  open.start(1min);
  int answers = 0;
  std::array<loop, 3> others;
  std::vector<std::thread> threads;
  threads.reserve(others.size());
  for (loop& other : others) {
    threads.emplace_back([&] {
      timer soon(other, [&] {
        hub.post([&] {
          if (++answers == 3) open.stop();
        });
      });
      other.post([&] { soon.start(1ms); });
      other.run();
    });
  }
  hub.run();
  for (std::thread& one : threads) one.join();
  CHECK(answers == 3);
}

TEST_CASE("counters of a loop contain those of its scheduler") {
  loop one;
  timer soon(one, [] {});
  soon.start(0ns);
  one.post([] {});
  one.run();
  CHECK(one.counters().timers_fired == 1);
  CHECK(one.counters().functions_posted == 1);
  CHECK(one.counters().iterations >= 1);
  CHECK(one.counters().signals_handled == 0);
}
