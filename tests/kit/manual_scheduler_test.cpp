#include <sluice/testing/manual_scheduler.hpp>

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/timer.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;

namespace {

using lines = std::vector<std::string>;

// Writes down what ran, and when.
class diary {
 public:
  explicit diary(manual_scheduler& scheduler) : scheduler_(scheduler) {}
  void note(const std::string& what) { entries.push_back(what + " at " + std::to_string(scheduler_.now().time_since_epoch() / 1ms)); }

  lines entries;

 private:
  manual_scheduler& scheduler_;
};

// What the process prints on standard error while this object lives.
class captured_errors {
 public:
  captured_errors() : before_(::dup(STDERR_FILENO)), file_(std::tmpfile()) {
    REQUIRE(file_ != nullptr);
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  captured_errors(const captured_errors&) = delete;
  captured_errors& operator=(const captured_errors&) = delete;
  ~captured_errors() { stop(); }

  std::string stop() {
    if (file_ == nullptr) return {};
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    std::string text(static_cast<std::size_t>(::lseek(::fileno(file_), 0, SEEK_END)), '\0');
    const ssize_t n = ::pread(::fileno(file_), text.data(), text.size(), 0);
    std::fclose(std::exchange(file_, nullptr));
    return n == static_cast<ssize_t>(text.size()) ? text : "unreadable";
  }

 private:
  int before_;
  std::FILE* file_;
};

}  // namespace

TEST_CASE("the clock begins at zero and moves only by advance") {
  manual_scheduler scheduler;
  CHECK(scheduler.now() == time_point());
  scheduler.run_until_idle();
  CHECK(scheduler.now() == time_point());
  scheduler.advance(1500us);
  CHECK(scheduler.now() == time_point(1500us));
  CHECK_THROWS_AS(scheduler.advance(-1ns), std::invalid_argument);
}

TEST_CASE("M4 advance fires each timer at its own time, with deferred work in between, and those that a timer sets on the way") {
  manual_scheduler scheduler;
  diary diary(scheduler);
  timer inner(scheduler, [&] { diary.note("inner"); });
  timer first(scheduler, [&] {
    diary.note("first");
    scheduler.call_soon([&] { diary.note("deferred by first"); });
    inner.start(10ms);
  });
  timer second(scheduler, [&] { diary.note("second"); });
  first.start(10ms);
  second.start(30ms);
  scheduler.call_soon([&] { diary.note("deferred before"); });
  scheduler.advance(100ms);
  CHECK(diary.entries == lines{"deferred before at 0", "first at 10", "deferred by first at 10", "inner at 20", "second at 30"});
  CHECK(scheduler.now() == time_point(100ms));
}

TEST_CASE("M4 a timer at the very end of the span fires, one behind it does not") {
  manual_scheduler scheduler;
  int fired = 0;
  timer at_the_end(scheduler, [&] { ++fired; });
  timer behind(scheduler, [&] { fired += 10; });
  at_the_end.start(5ms);
  behind.start(5ms + 1ns);
  scheduler.advance(5ms);
  CHECK(fired == 1);
  scheduler.advance(1ns);
  CHECK(fired == 11);
}

TEST_CASE("M4 a timer that starts itself again ticks through the whole span") {
  manual_scheduler scheduler;
  std::vector<std::int64_t> ticks;
  std::unique_ptr<timer> tick;
  tick = std::make_unique<timer>(scheduler, [&] {
    ticks.push_back(scheduler.now().time_since_epoch() / 1ms);
    tick->start(7ms);
  });
  tick->start(7ms);
  scheduler.advance(30ms);
  CHECK(ticks == std::vector<std::int64_t>{7, 14, 21, 28});
}

TEST_CASE("K3 in virtual time, what a deferred function defers runs in the next batch") {
  manual_scheduler scheduler;
  diary diary(scheduler);
  scheduler.call_soon([&] {
    diary.note("a");
    scheduler.call_soon([&] { diary.note("c"); });
  });
  scheduler.call_soon([&] { diary.note("b"); });
  CHECK(scheduler.is_busy());
  CHECK(scheduler.run_one_batch());
  CHECK(diary.entries == lines{"a at 0", "b at 0"});
  CHECK(scheduler.run_until_idle() == 1);
  CHECK(diary.entries == lines{"a at 0", "b at 0", "c at 0"});
  CHECK_FALSE(scheduler.run_one_batch());
}

TEST_CASE("K3 in virtual time, timers of one deadline fire in the order in which they were started") {
  manual_scheduler scheduler;
  std::string order;
  timer a(scheduler, [&] { order += 'a'; });
  timer b(scheduler, [&] { order += 'b'; });
  timer c(scheduler, [&] { order += 'c'; });
  b.start(1ms);
  c.start(1ms);
  a.start(2ms);
  b.start(1ms);  // moved: behind c now
  a.start(1ms);
  scheduler.advance(1ms);
  CHECK(order == "cba");
}

TEST_CASE("K3 in virtual time, a timer that starts itself with no delay lets the others of its deadline go first") {
  manual_scheduler scheduler;
  std::string order;
  std::unique_ptr<timer> again;
  again = std::make_unique<timer>(scheduler, [&] {
    order += 'a';
    if (order.size() < 4) again->start(0ms);
  });
  timer other(scheduler, [&] { order += 'b'; });
  again->start(-1ms);
  other.start(0ms);
  scheduler.advance(0ms);
  CHECK(order == "abaa");
}

TEST_CASE("K3 in virtual time, a stopped timer never fires and a huge delay is as good as for ever") {
  manual_scheduler scheduler;
  int fired = 0;
  timer stopped(scheduler, [&] { ++fired; });
  timer far(scheduler, [&] { ++fired; });
  stopped.start(1ms);
  stopped.stop();
  far.start(duration::max());
  CHECK(scheduler.next_timer() > time_point(24h * 365 * 90));
  scheduler.advance(24h * 365);
  CHECK(fired == 0);
  far.stop();
  CHECK(scheduler.next_timer() == time_point::max());
}

TEST_CASE("run_until stops as soon as its condition holds, at the time of the event that made it hold") {
  manual_scheduler scheduler;
  bool done = false;
  timer soon(scheduler, [&] { scheduler.call_soon([&] { done = true; }); });
  timer later(scheduler, [&] { FAIL("the condition held before"); });
  soon.start(20ms);
  later.start(30ms);
  CHECK(scheduler.run_until([&] { return done; }));
  CHECK(scheduler.now() == time_point(20ms));
  later.stop();
}

TEST_CASE("run_until gives up when the limit has passed on the clock") {
  manual_scheduler scheduler;
  timer late(scheduler, [] {});
  late.start(11ms);
  CHECK_FALSE(scheduler.run_until([] { return false; }, 10ms));
  CHECK(scheduler.now() == time_point(10ms));
  CHECK(late.is_running());
}

TEST_CASE("work that never ends is an error that says so, not a test that hangs") {
  manual_scheduler scheduler;
  scheduler.set_step_limit(50);
  struct forever {
    manual_scheduler& scheduler;
    void operator()() const { scheduler.call_soon(*this); }
  };
  scheduler.call_soon(forever{scheduler});
  CHECK_THROWS_WITH_AS(scheduler.run_until_idle(), doctest::Contains("run_until_idle is still busy after 50 steps, at 0 us"),
                       std::runtime_error);
  CHECK_THROWS_WITH_AS(scheduler.advance(1ms), doctest::Contains("advance is still busy"), std::runtime_error);
  CHECK_THROWS_AS(scheduler.run_until([] { return false; }), std::runtime_error);
}

TEST_CASE("a timer that never lets time pass is an error, too") {
  manual_scheduler scheduler;
  scheduler.set_step_limit(50);
  std::unique_ptr<timer> again;
  again = std::make_unique<timer>(scheduler, [&] { again->start(0ms); });
  again->start(0ms);
  CHECK_THROWS_AS(scheduler.advance(1ms), std::runtime_error);
}

TEST_CASE("driving the scheduler from inside a callback is refused") {
  manual_scheduler scheduler;
  scheduler.on_error(stop_and_rethrow);
  scheduler.call_soon([&] { scheduler.run_until_idle(); });
  CHECK_THROWS_WITH_AS(scheduler.run_until_idle(), doctest::Contains("from inside a callback"), std::logic_error);
  const auto held = scheduler.cork();
  CHECK_THROWS_AS(scheduler.advance(1ms), std::logic_error);
}

TEST_CASE("under stop_and_rethrow the call that drives throws the first error, and the next call goes on behind it") {
  manual_scheduler scheduler;
  scheduler.on_error(stop_and_rethrow);
  bool went_on = false;
  scheduler.call_soon([] { throw std::domain_error("first"); });
  scheduler.call_soon([&] { scheduler.call_soon([&] { went_on = true; }); });
  CHECK_THROWS_AS(scheduler.run_until_idle(), std::domain_error);
  CHECK_FALSE(went_on);
  scheduler.run_until_idle();
  CHECK(went_on);
}

TEST_CASE("under stop_and_rethrow an error that no call threw any more is printed when the scheduler ends, and so are later ones") {
  captured_errors errors;
  {
    manual_scheduler scheduler;
    scheduler.on_error(stop_and_rethrow);
    struct last_words {
      explicit last_words(manual_scheduler& ending) : owner(ending) {}
      ~last_words() { owner.report_misuse(0, "said at the end"); }
      manual_scheduler& owner;
    };
    scheduler.call_soon([words = std::make_unique<last_words>(scheduler)] {});
    scheduler.report_misuse(0, "said before");
  }
  const std::string printed = errors.stop();
  CHECK(printed.find("not thrown, as its scheduler did not run again: said before") != std::string::npos);
  CHECK(printed.find("said at the end") != std::string::npos);
}

TEST_CASE("functions and timers that did not run when the scheduler ends are destroyed uncalled") {
  const auto token = std::make_shared<int>(0);
  {
    manual_scheduler scheduler;
    scheduler.call_soon([token] { ++*token; });
    timer pending(scheduler, [token] { ++*token; });
    pending.start(1ms);
    CHECK(token.use_count() == 3);
  }
  CHECK(token.use_count() == 1);
  CHECK(*token == 0);
}
