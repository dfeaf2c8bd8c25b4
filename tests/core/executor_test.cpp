#include <sluice/executor.hpp>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <pthread.h>

#include <csignal>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "null_channel.hpp"

using namespace sluice;
using namespace std::chrono_literals;

namespace {

const auto ignore = [](auto) {};

loop_options with_threads(unsigned threads, std::chrono::milliseconds join = 5s) {
  loop_options options;
  options.executor.threads = threads;
  options.executor.join = join;
  return options;
}

// Work that says when it has begun, and goes on until the test lets it.
struct gate {
  std::latch begun{1}, open{1};
  auto work() {
    return [this] {
      begun.count_down();
      open.wait();
    };
  }
};

// For work that outlives its loop, and so is shared. What `at_end` returns says when the thread is done with it.
struct stuck_work : gate {
  std::latch over{1};
};
std::shared_ptr<void> at_end(const std::shared_ptr<stuck_work>& work) {
  return {nullptr, [work](void*) { work->over.count_down(); }};
}

// Notes that it is destroyed, and where.
struct death_note {
  struct record {
    std::atomic<bool> dead = false;
    std::thread::id where;
  };
  explicit death_note(record& to) : note(&to) {}
  death_note(death_note&& other) noexcept : note(std::exchange(other.note, nullptr)) {}
  ~death_note() {
    if (note == nullptr) return;
    note->where = std::this_thread::get_id();
    note->dead = true;
  }
  record* note;
};

#ifdef __GLIBC__
// While it lives, new threads would need a larger stack than there is memory to address.
class no_more_threads {
 public:
  no_more_threads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 50);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  no_more_threads(const no_more_threads&) = delete;
  no_more_threads& operator=(const no_more_threads&) = delete;
  ~no_more_threads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};
#endif

}  // namespace

static_assert(std::is_nothrow_move_constructible_v<executor_job>);
static_assert(!std::is_copy_constructible_v<executor_job>);

TEST_CASE("K4 work runs on another thread and its result comes to the loop, as a turn, before run returns") {
  loop one;
  std::thread::id worker;
  std::string result;
  bool in_turn = false;
  one.run_in_executor(
      [&] {
        worker = std::this_thread::get_id();
        return std::make_unique<std::string>("done");
      },
      [&](job_result<std::unique_ptr<std::string>> outcome) {
        REQUIRE(outcome);
        CHECK(outcome.exception() == nullptr);
        in_turn = one.in_turn();
        result = *outcome.get();
      });
  one.run();
  CHECK(result == "done");
  CHECK(worker != std::thread::id());
  CHECK(worker != std::this_thread::get_id());
  CHECK(in_turn);
  CHECK(one.counters().jobs_started == 1);
}

TEST_CASE("K4 what the work throws is thrown by get, and reported if the completion does not catch it") {
  loop one;
  std::string line;
  one.on_error([&](const error_event& event) { line = describe(event); });
  bool seen = false;
  one.run_in_executor([]() -> int { throw std::out_of_range("too far"); },
                      [&](job_result<int> outcome) {
                        CHECK_FALSE(outcome);
                        CHECK(outcome.exception() != nullptr);
                        CHECK_THROWS_WITH_AS(outcome.get(), "too far", std::out_of_range);
                        seen = true;
                      });
  one.run();
  CHECK(seen);
  one.run_in_executor([] { throw std::runtime_error("no luck"); }, [](job_result<void> outcome) { outcome.get(); });
  one.run();
  CHECK(line == "sluice: scheduled function: the completion of a job: no luck");
}

TEST_CASE("K4 work and completion are destroyed where they ran, when they ran") {
  loop one;
  death_note::record work, completion;
  std::thread::id worker;
  auto job = one.run_in_executor([&, note = death_note(work)] { worker = std::this_thread::get_id(); },
                                 [note = death_note(completion)](job_result<void>) {});
  CHECK(job);
  one.run();
  CHECK_FALSE(job);
  CHECK(work.dead);
  CHECK(work.where == worker);
  CHECK(completion.dead);
  CHECK(completion.where == std::this_thread::get_id());
}

TEST_CASE("K4 no more jobs run at a time than the pool has threads, and all of them are done") {
  loop one(with_threads(3));
  std::atomic<int> running = 0;
  int most = 0, done = 0;
  std::set<std::thread::id> threads;
  for (int i = 0; i < 200; ++i) {
    one.run_in_executor(
        [&] {
          const int now = ++running;
          std::this_thread::yield();
          --running;
          return std::pair(now, std::this_thread::get_id());
        },
        [&](job_result<std::pair<int, std::thread::id>> outcome) {
          const auto [now, thread] = outcome.get();
          most = std::max(most, now);
          threads.insert(thread);
          ++done;
        });
  }
  one.run();
  CHECK(done == 200);
  CHECK(most <= 3);
  CHECK(threads.size() <= 3);
}

TEST_CASE("K4 as many jobs as there are threads run at the same time") {
  loop one(with_threads(3));
  std::latch all_here(3);
  for (int i = 0; i < 3; ++i) one.run_in_executor([&] { all_here.arrive_and_wait(); }, ignore);
  one.run();
  CHECK(all_here.try_wait());
}

TEST_CASE("K4 one thread does its jobs in the order in which they were given") {
  loop one(with_threads(1));
  std::vector<int> worked, completed;
  for (int i = 0; i < 20; ++i) {
    one.run_in_executor([&, i] { worked.push_back(i); }, [&, i](job_result<void>) { completed.push_back(i); },
                        i % 2 == 0 ? job_lane::general : job_lane::name_resolution);
  }
  one.run();
  CHECK(worked.size() == 20);
  CHECK(std::is_sorted(worked.begin(), worked.end()));
  CHECK(completed == worked);
}

TEST_CASE("K4 name resolution has a limit of its own and leaves threads to other work") {
  loop_options options = with_threads(2);
  options.executor.name_resolution_threads = 1;
  loop one(options);
  gate slow;
  std::vector<std::string> order;
  one.run_in_executor(
      slow.work(), [&](job_result<void>) { order.emplace_back("slow name"); }, job_lane::name_resolution);
  one.run_in_executor([] {}, [&](job_result<void>) { order.emplace_back("second name"); }, job_lane::name_resolution);
  one.run_in_executor([] {},
                      [&](job_result<void>) {
                        order.emplace_back("file");
                        slow.open.count_down();
                      });
  one.run();
  CHECK(order == std::vector<std::string>{"file", "slow name", "second name"});
}

TEST_CASE("K4 a queued job can be cancelled: neither function is called, both are destroyed at once") {
  loop one(with_threads(1));
  gate first;
  death_note::record work, completion;
  auto busy = one.run_in_executor(first.work(), ignore);
  first.begun.wait();
  auto queued = one.run_in_executor([note = death_note(work)] { FAIL("was cancelled"); },
                                    [note = death_note(completion)](job_result<void>) { FAIL("was cancelled"); });
  CHECK(queued.cancel());
  CHECK_FALSE(queued);
  CHECK(work.dead);
  CHECK(completion.dead);
  CHECK_FALSE(queued.cancel());
  CHECK_FALSE(busy.cancel());
  CHECK(busy);
  first.open.count_down();
  one.run();
  CHECK_FALSE(busy);
  CHECK_FALSE(executor_job().cancel());
}

TEST_CASE("K4 abandoning a running job destroys its completion at once, and run does not wait for the work") {
  loop one(with_threads(1));
  gate stuck;
  death_note::record completion;
  auto job = one.run_in_executor(stuck.work(), [note = death_note(completion)](job_result<void>) { FAIL("was abandoned"); });
  stuck.begun.wait();
  job.abandon();
  CHECK_FALSE(job);
  CHECK(completion.dead);
  CHECK(completion.where == std::this_thread::get_id());
  one.run();
  stuck.open.count_down();
  bool done = false;
  one.run_in_executor([] {}, [&](job_result<void>) { done = true; });
  one.run();
  CHECK(done);
}

TEST_CASE("K4 a queued job that is abandoned never begins") {
  loop one(with_threads(1));
  gate first;
  one.run_in_executor(first.work(), ignore);
  first.begun.wait();
  auto queued = one.run_in_executor([] { FAIL("was abandoned"); }, [](job_result<void>) { FAIL("was abandoned"); });
  queued.abandon();
  CHECK_FALSE(queued);
  first.open.count_down();
  one.run();
}

TEST_CASE("K4 a job that is abandoned between its end and its completion is not completed") {
  loop one(with_threads(1));
  executor_job job;
  std::latch done(1);
  job = one.run_in_executor([&] { done.count_down(); }, [](job_result<void>) { FAIL("was abandoned"); });
  done.wait();
  CHECK_FALSE(job.cancel());
  job.abandon();
  one.run();
}

TEST_CASE("K4 a handle that is destroyed leaves the job alone") {
  loop one;
  bool done = false;
  {
    const auto job = one.run_in_executor([] {}, [&](job_result<void>) { done = true; });
  }
  one.run();
  CHECK(done);
}

TEST_CASE("K4 the end of a loop drops what is queued and waits for what runs, whose completion is destroyed uncalled") {
  gate running;
  std::atomic<bool> finished = false;
  death_note::record work, completion;
  executor_job outlives;
  std::thread opener;
  {
    loop one(with_threads(1));
    outlives = one.run_in_executor(
        [&] {
          running.work()();
          finished = true;
        },
        [note = death_note(completion)](job_result<void>) { FAIL("the loop does not run"); });
    running.begun.wait();
    one.run_in_executor([note = death_note(work)] { FAIL("was queued"); }, ignore);
    opener = std::thread([&] {
      while (!work.dead) std::this_thread::yield();  // the destructor has begun
      running.open.count_down();
    });
  }
  CHECK(finished);
  CHECK(completion.dead);
  CHECK(completion.where == std::this_thread::get_id());
  CHECK_FALSE(outlives);
  CHECK_FALSE(outlives.cancel());
  outlives.abandon();
  opener.join();
}

TEST_CASE("K4 the end of a loop does not wait longer than the deadline, and work that runs on touches nothing of it") {
  for (const bool own_thread : {false, true}) {
    CAPTURE(own_thread);
    auto one = std::make_unique<loop>(with_threads(1, 1ms));
    const auto shared = std::make_shared<stuck_work>();
    auto work = [shared, end = at_end(shared)] {
      shared->work()();
      return std::string(1000, 'x');
    };
    const auto completion = [](job_result<std::string>) { FAIL("the loop is gone"); };
    own_thread ? one->run_in_thread(std::move(work), completion) : one->run_in_executor(std::move(work), completion);
    shared->begun.wait();
    one.reset();
    shared->open.count_down();
    shared->over.wait();
  }
}

TEST_CASE("K4 a job that is given to a loop that is being destroyed is refused") {
  auto one = std::make_unique<loop>();
  bool refused = false;
  struct last_words {
    void operator()(loop* owner) const {
      *refused = !owner->run_in_executor([] { FAIL("ran"); }, ignore);
    }
    bool* refused;
  };
  one->run_in_executor([] {}, [words = std::unique_ptr<loop, last_words>(one.get(), {&refused})](job_result<void>) {});
  one.reset();
  CHECK(refused);
}

TEST_CASE("K4 a job that a connection_lost in the destructor of the loop wants to start is refused") {
  testing::recording_protocol upper;
  auto one = std::make_unique<loop>();
  loop& raw = *one;
  raw.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
  bool told = false;
  upper.on_lost = [&](std::error_code) {
    told = true;
    CHECK_FALSE(raw.run_in_executor([] { FAIL("ran"); }, ignore));
    CHECK_FALSE(raw.run_in_thread([] { FAIL("ran"); }, ignore));
  };
  start_null_channel(raw, borrow(upper));
  one.reset();
  CHECK(told);
}

TEST_CASE("K4 run_in_thread needs no thread of the pool") {
  loop one(with_threads(1));
  gate blocked;
  std::vector<std::string> order;
  one.run_in_executor(blocked.work(), [&](job_result<void>) { order.emplace_back("pool"); });
  blocked.begun.wait();
  for (int i = 0; i < 3; ++i) {
    one.run_in_thread([] { return std::this_thread::get_id(); },
                      [&](job_result<std::thread::id> outcome) {
                        CHECK(outcome.get() != std::this_thread::get_id());
                        order.emplace_back("own");
                        if (order.size() == 3) blocked.open.count_down();
                      });
  }
  one.run();
  CHECK(order == std::vector<std::string>{"own", "own", "own", "pool"});
}

TEST_CASE("K4 threads of the executor leave signals to the program's own") {
  loop one;
  const auto blocked = [] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1;
  };
  int checked = 0;
  const auto check = [&](job_result<bool> outcome) { checked += outcome.get() ? 1 : 0; };
  one.run_in_executor(blocked, check);
  one.run_in_thread(blocked, check);
  one.run();
  CHECK(checked == 2);
  CHECK_FALSE(blocked());
}

#ifdef __GLIBC__
TEST_CASE("K4 a thread that cannot be made is an error in the result, unless another thread can do the work") {
  loop one(with_threads(2));
  gate busy;
  std::string order;
  {
    const no_more_threads limit;
    const auto refused = [&](job_result<void> outcome) {
      CHECK_THROWS_AS(outcome.get(), std::system_error);
      order += "refused ";
    };
    one.run_in_executor([] { FAIL("there is no thread"); }, refused);
    one.run_in_thread([] { FAIL("there is no thread"); }, refused);
    CHECK(order.empty());
    one.run();
  }
  one.run_in_executor(busy.work(), [&](job_result<void>) { order += "first "; });
  busy.begun.wait();
  const no_more_threads limit;
  one.run_in_executor([] {}, [&](job_result<void>) { order += "second"; });
  busy.open.count_down();
  one.run();
  CHECK(order == "refused refused first second");
}
#endif

TEST_CASE("K4 a limit of 0 is refused with what would be right") {
  loop_options options;
  options.executor.threads = 0;
  CHECK_THROWS_WITH_AS(loop{options}, doctest::Contains("executor_options::threads is 0; at least 1 is needed"), std::system_error);
  options.executor = {};
  options.executor.name_resolution_threads = 0;
  CHECK_THROWS_WITH_AS(loop{options}, doctest::Contains("name_resolution_threads is 0; at least 1 is needed"), std::system_error);
}

TEST_CASE("K4 work that waits for the loop is let go when the loop ends") {
  bool broken = false;
  {
    loop one;
    std::latch asked(1);
    one.run_in_executor(
        [&, way_in = loop::remote(one)] {
          auto question = way_in.submit([] { FAIL("the loop does not run"); });
          asked.count_down();
          question.wait();
          broken = true;
        },
        ignore);
    asked.wait();
  }
  CHECK(broken);
}

TEST_CASE("K5 a completion finds out through its transport_ref that the transport is gone") {
  loop one;
  testing::recording_protocol upper;
  transport& connection = start_null_channel(one, borrow(upper));
  gate slow;
  bool checked = false;
  one.run_in_executor(slow.work(), [&, ref = transport_ref(connection)](job_result<void>) {
    CHECK_FALSE(ref);
    CHECK(ref.write(as_bytes("late")) == write_status::dropped);
    checked = true;
  });
  upper.on_lost = [&](std::error_code) { slow.open.count_down(); };
  connection.abort();
  one.run();
  CHECK(checked);
  CHECK(upper.trace() == "made, lost sluice:1");
}

TEST_CASE("K5 a completion that holds a transport_ref may be dropped with its loop, while its work runs on") {
  const auto shared = std::make_shared<stuck_work>();
  testing::recording_protocol upper;
  {
    loop one(with_threads(1, 1ms));
    one.on_error([](const error_event&) {});
    transport& connection = start_null_channel(one, borrow(upper));
    one.run_in_executor([shared, end = at_end(shared)] { shared->work()(); },
                        [ref = transport_ref(connection)](job_result<void>) { FAIL("the loop is gone"); });
    shared->begun.wait();
  }
  CHECK(upper.trace() == "made, lost sluice:1");
  shared->open.count_down();
  shared->over.wait();
}
