#include <sluice/deferred_call.hpp>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("K3 a deferred call is made once in the next turn, in the order of call_soon, however often it is scheduled") {
  testing::manual_scheduler owner;
  std::string order;
  deferred_call one(owner, [&] { order += "b"; });
  owner.call_soon([&] { order += "a"; });
  CHECK_FALSE(one.is_scheduled());
  one.schedule();
  one.schedule();
  CHECK(one.is_scheduled());
  owner.call_soon([&] { order += "c"; });
  CHECK(order.empty());
  owner.run_until_idle();
  CHECK(order == "abc");
  CHECK_FALSE(one.is_scheduled());
  CHECK(owner.counters().turns_posted == 1);
  one.schedule();
  owner.run_until_idle();
  CHECK(order == "abcb");
}

TEST_CASE("K3 a deferred call that schedules itself is made in the turn behind, and its captures keep their state") {
  testing::manual_scheduler owner;
  std::optional<deferred_call> one;
  std::vector<int> rounds;
  one.emplace(owner, [&, round = 0]() mutable {
    rounds.push_back(++round);
    if (round < 3) one->schedule();
  });
  one->schedule();
  CHECK(owner.run_one_batch());
  CHECK(rounds == std::vector{1});
  owner.run_until_idle();
  CHECK(rounds == std::vector{1, 2, 3});
}

TEST_CASE("a deferred call that is cancelled or destroyed is not made, wherever it stands among the others") {
  testing::manual_scheduler owner;
  std::string order;
  deferred_call first(owner, [&] { order += "1"; });
  std::optional<deferred_call> second(std::in_place, owner, [&] { order += "2"; });
  deferred_call third(owner, [&] { order += "3"; });
  deferred_call fourth(owner, [&] { order += "4"; });
  for (deferred_call* each : {&first, &*second, &third, &fourth}) each->schedule();
  first.cancel();
  first.cancel();
  second.reset();
  fourth.cancel();
  fourth.schedule();
  owner.run_until_idle();
  CHECK(order == "34");
}

TEST_CASE("a deferred call may cancel or destroy those behind it, and itself, and its captures live until it returns") {
  testing::manual_scheduler owner;
  std::string order;
  std::optional<deferred_call> first;
  std::optional<deferred_call> second(std::in_place, owner, [&] { order += "2"; });
  deferred_call third(owner, [&] { order += "3"; });
  deferred_call fourth(owner, [&] { order += "4"; });
  first.emplace(owner, [&, text = std::string("captures live until the function returns")] {
    second.reset();
    third.cancel();
    first.reset();
    order += text;
  });
  for (deferred_call* each : {&*first, &*second, &third, &fourth}) each->schedule();
  owner.run_until_idle();
  CHECK(order == "captures live until the function returns4");
}

TEST_CASE("X3 an exception of a deferred call goes to the error hook, and it can be scheduled again") {
  testing::manual_scheduler owner;
  std::vector<std::string> lines;
  owner.on_error([&](const error_event& event) { lines.push_back(describe(event)); });
  deferred_call one(owner, [] { throw std::runtime_error("no luck"); });
  for (int i = 0; i < 2; ++i) {
    one.schedule();
    owner.run_until_idle();
  }
  CHECK(lines == std::vector<std::string>(2, "sluice: scheduled function: deferred_call: no luck"));
}

TEST_CASE("a deferred call that is scheduled keeps a loop running until it was made, and outlives the loop") {
  std::optional<loop> owner(std::in_place);
  int made = 0;
  deferred_call one(*owner, [&] { ++made; });
  one.schedule();
  owner->run();
  CHECK(made == 1);
  one.schedule();
  owner.reset();
  CHECK(made == 1);
  CHECK_FALSE(one.is_scheduled());
}

TEST_CASE("a function that dies uncalled with its scheduler may take deferred calls with it") {
  std::optional<testing::manual_scheduler> owner(std::in_place);
  auto call = std::make_shared<deferred_call>(*owner, [] { FAIL("the scheduler ended"); });
  deferred_call* const scheduled = call.get();
  owner->call_soon([held = std::move(call)] {});
  scheduled->schedule();
  owner->call_soon([] { FAIL("the scheduler ended"); });
  owner.reset();
}

TEST_CASE("scheduling allocates nothing" * doctest::skip(!testing::allocation_counter::available())) {
  testing::manual_scheduler owner;
  int made = 0;
  deferred_call one(owner, [&] { ++made; });
  const testing::allocation_counter counter;
  one.schedule();
  owner.run_until_idle();
  CHECK(counter.counts().allocations == 0);
  CHECK(made == 1);
}
