#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/end_watch.hpp>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

struct site {
  std::function<void(std::error_code)> noting(recording_protocol& into, const char* what) {
    return [&into, what](std::error_code reason) { into.note(what + (reason ? ' ' + reason.message() : std::string())); };
  }

  recording_protocol first, second;
  manual_scheduler scheduler;
  memory::connection made = memory::pair(scheduler, borrow(first), borrow(second));
};

}  // namespace

TEST_CASE("L3 a watch is told of the end after the protocol, once, with the same reason") {
  site here;
  end_watch watch(here.noting(here.first, "told"));
  CHECK_FALSE(watch.is_running());
  watch.start(here.made.first);
  CHECK(watch.is_running());
  here.made.second.reset();
  here.scheduler.run_until_idle();
  CHECK(here.first.events().size() == 3);
  CHECK(here.first.events()[1].starts_with("lost uv:"));
  CHECK(here.first.events()[2].starts_with("told ECONNRESET"));
  CHECK_FALSE(watch.is_running());
}

TEST_CASE("a watch that was stopped or destroyed is not told") {
  site here;
  end_watch stopped(here.noting(here.first, "stopped"));
  stopped.start(here.made.first);
  auto destroyed = std::make_unique<end_watch>(here.noting(here.first, "destroyed"));
  destroyed->start(here.made.first);
  end_watch told(here.noting(here.second, "told"));
  told.start(here.made.second);
  stopped.stop();
  stopped.stop();
  destroyed.reset();
  told.start(here.made.second);
  here.made.second.close();
  here.scheduler.run_until_idle();
  CHECK(here.first.trace() == "made, eof, lost");
  CHECK(here.second.trace() == "made, lost, told");
}

TEST_CASE("a watch may move to another transport, and be destroyed by what it calls") {
  site here;
  recording_protocol third, fourth;
  memory::connection other = memory::pair(here.scheduler, borrow(third), borrow(fourth));
  auto watch = std::make_unique<end_watch>([](std::error_code) {});
  int calls = 0;
  watch = std::make_unique<end_watch>([&](std::error_code) {
    ++calls;
    watch.reset();
  });
  end_watch last([&](std::error_code) { ++calls; });
  last.start(here.made.first);
  watch->start(other.first);
  watch->start(here.made.first);
  other.first.abort();
  here.scheduler.run_until_idle();
  CHECK(calls == 0);
  here.made.first.abort();
  here.scheduler.run_until_idle();
  CHECK(calls == 2);
}

TEST_CASE("L14 a watch is told when its scheduler is destroyed, and what it throws goes to the error hook") {
  recording_protocol first, second;
  std::vector<std::string> reports;
  end_watch watch([](std::error_code reason) { throw std::runtime_error(reason.message()); });
  {
    manual_scheduler scheduler;
    scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
    watch.start(memory::pair(scheduler, borrow(first), borrow(second)).first);
  }
  CHECK_FALSE(watch.is_running());
  REQUIRE(reports.size() == 2);
  CHECK(reports[1].find("end_watch") != std::string::npos);
}

TEST_CASE("V1 a watch stays where it is when the protocol is switched") {
  site here;
  recording_protocol next;
  end_watch watch(here.noting(next, "told"));
  watch.start(here.made.first);
  CHECK_FALSE(here.made.first.set_protocol(borrow(next)));
  here.made.second.close();
  here.scheduler.run_until_idle();
  CHECK(next.trace() == "made, eof, lost, told");
}
