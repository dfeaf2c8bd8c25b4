#include <sluice/scheduler.hpp>

#include <sluice/error.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "null_channel.hpp"

using namespace sluice;

namespace {

struct error_log {
  explicit error_log(scheduler& owner) {
    owner.on_error([this](const error_event& event) { lines.push_back(describe(event)); });
  }
  std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("functions that are called soon run in order, in one turn, and a throwing one does not stop the others") {
  testing::manual_scheduler owner;
  error_log errors(owner);
  std::string order;
  owner.call_soon([&] { order += owner.in_turn() ? "a" : "?"; });
  owner.call_soon([] { throw std::runtime_error("no luck"); });
  owner.call_soon([] { throw 7; });
  owner.call_soon([&] { order += "b"; });
  CHECK_FALSE(owner.in_turn());
  owner.run_until_idle();
  CHECK(order == "ab");
  CHECK(owner.counters().turns_posted == 1);
  CHECK(errors.lines == std::vector<std::string>{"sluice: scheduled function: call_soon: no luck",
                                                 "sluice: scheduled function: call_soon: an exception that is no std::exception"});
  CHECK(owner.counters().errors_reported == 2);
}

TEST_CASE("K3 a function that calls another one soon does not run it in the same turn") {
  testing::manual_scheduler owner;
  std::string order;
  owner.call_soon([&] {
    owner.call_soon([&] { order += "c"; });
    order += "a";
  });
  owner.call_soon([&] { order += "b"; });
  CHECK(owner.run_one_batch());
  CHECK(order == "ab");
  CHECK(owner.run_one_batch());
  CHECK(order == "abc");
  CHECK_FALSE(owner.run_one_batch());
}

TEST_CASE("captures of a function are destroyed when it has run, in its turn, or with the scheduler") {
  const auto captured = std::make_shared<int>(1);
  {
    testing::manual_scheduler owner;
    owner.call_soon([captured] {});
    owner.call_soon([&, captured] { CHECK(captured.use_count() == 2); });  // the first one's is gone
    CHECK(captured.use_count() == 3);
    owner.run_until_idle();
    CHECK(captured.use_count() == 1);
    owner.call_soon([captured] { FAIL("the scheduler ended"); });
  }
  CHECK(captured.use_count() == 1);
}

TEST_CASE("a cork makes a turn, and one inside a turn changes nothing") {
  testing::manual_scheduler owner;
  {
    const auto outer = owner.cork();
    CHECK(owner.in_turn());
    {
      const auto inner = owner.cork();
      CHECK(owner.in_turn());
    }
    CHECK(owner.in_turn());
  }
  CHECK_FALSE(owner.in_turn());
}

TEST_CASE("X8 an error hook that throws is caught, and the next error reaches it again") {
  testing::manual_scheduler owner;
  int reports = 0;
  owner.on_error([&](const error_event&) {
    ++reports;
    throw std::runtime_error("the hook");
  });
  owner.report_misuse(0, "first");
  owner.report_misuse(0, "second");
  CHECK(reports == 2);
}

TEST_CASE("X8 an error hook may replace itself, and what it captured lives until it returns") {
  testing::manual_scheduler owner;
  std::vector<std::string> calls;
  const auto token = std::make_shared<int>(7);
  owner.on_error([&owner, &calls, token](const error_event& event) {
    owner.on_error([&calls](const error_event& next) { calls.push_back("second: " + std::string(next.what)); });
    CHECK(token.use_count() == 2);
    calls.push_back("first: " + std::string(event.what));
    if (*token == 7) owner.report_misuse(0, "from inside");
  });
  owner.report_misuse(0, "one");
  owner.report_misuse(0, "two");
  CHECK(calls == std::vector<std::string>{"first: one", "second: from inside", "second: two"});
  CHECK(token.use_count() == 1);
}

TEST_CASE("a report is described in one line: which transport, what kind, what happened") {
  CHECK(describe({error_source::misuse, 12, errc::misuse, nullptr, "write after write_eof"}) ==
        "sluice: transport 12: misuse: write after write_eof: " + make_error_code(errc::misuse).message());
  CHECK(describe({error_source::accept, 0, system_error(24), nullptr, {}}) == "sluice: accept: " + system_error(24).message());
  CHECK(describe({error_source::callback, 3, errc::protocol_threw, std::make_exception_ptr(std::runtime_error("no luck")),
                  "data_received"}) == "sluice: transport 3: callback: data_received: no luck");
}

TEST_CASE("under stop_and_rethrow a code without an exception is thrown as std::system_error, and only the first of all") {
  testing::manual_scheduler owner;
  owner.on_error(stop_and_rethrow);
  owner.call_soon([&] {
    owner.report_misuse(0, "nonsense");
    owner.report_misuse(0, "more nonsense");
  });
  try {
    owner.run_until_idle();
    FAIL("nothing was thrown");
  } catch (const std::system_error& error) {
    CHECK(error.code() == errc::misuse);
    CHECK(std::string(error.what()).starts_with("nonsense"));
  }
  owner.run_until_idle();
}

TEST_CASE("every open transport is visited, and may be closed by the visit") {
  testing::manual_scheduler owner;
  testing::recording_protocol first, second;
  start_null_channel(owner, borrow(first));
  start_null_channel(owner, borrow(second));
  CHECK(owner.open_transports() == 2);
  int visits = 0;
  owner.for_each_transport([&](transport& each) {
    ++visits;
    each.close();
  });
  owner.run_until_idle();
  CHECK(visits == 2);
  CHECK(owner.open_transports() == 0);
  CHECK(owner.counters().transports_opened == 2);
  CHECK(owner.counters().transports_closed == 2);
  owner.for_each_transport([](transport&) { FAIL("none is open"); });
}

TEST_CASE("L14 a scheduler that ends tells each open protocol once and drops what is called soon") {
  testing::recording_protocol upper;
  auto owner = std::make_unique<testing::manual_scheduler>();
  testing::manual_scheduler& raw = *owner;
  error_log errors(raw);
  start_null_channel(raw, borrow(upper));
  upper.on_lost = [&](std::error_code) { raw.call_soon([] { FAIL("called after the end"); }); };
  owner.reset();
  CHECK(upper.trace() == "made, lost sluice:1");
  CHECK(errors.lines.size() == 1);
}

TEST_CASE("L14 a protocol that always connects again comes to an end with its scheduler") {
  auto owner = std::make_unique<testing::manual_scheduler>();
  testing::manual_scheduler& raw = *owner;
  error_log errors(raw);
  int lost = 0;
  struct stubborn final : protocol {
    stubborn(scheduler& home, int& times) : home_(home), times_(times) {}
    void data_received(const_bytes) override {}
    void connection_lost(std::error_code) override {
      ++times_;
      start_null_channel(home_, std::make_unique<stubborn>(home_, times_));
    }
    scheduler& home_;
    int& times_;
  };
  start_null_channel(raw, std::make_unique<stubborn>(raw, lost));
  owner.reset();
  CHECK(lost == 1);
  REQUIRE(errors.lines.size() == 2);
  CHECK(errors.lines[1].find("connection_lost: sluice: nothing starts on a scheduler that is being destroyed") != std::string::npos);
}
