#include <sluice/reconnect_machine.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

using namespace sluice;
using namespace std::chrono_literals;
using state = reconnect_machine::state;
using action = reconnect_machine::action;

namespace {

constexpr std::size_t states = 8;
constexpr std::size_t events = 8;

const char* name_of(action value) {
  switch (value) {
    case action::none: return "none";
    case action::connect: return "connect";
    case action::wait: return "wait";
    case action::give_up: return "give_up";
    case action::finish: return "finish";
    case action::cancel: return "cancel";
  }
  return "?";
}

constexpr std::array<const char*, events> event_names{"start",      "made",      "failed", "lost", "lost in good order",
                                                      "pause_over", "retry_now", "stop"};

action apply(reconnect_machine& m, std::size_t event, time_point now = {}) {
  switch (event) {
    case 0: return m.start(now);
    case 1: return m.made(now);
    case 2: return m.failed(now);
    case 3: return m.lost(now, false);
    case 4: return m.lost(now, true);
    case 5: return m.pause_over();
    case 6: return m.retry_now();
    case 7: return m.stop();
    default: return action::none;
  }
}

// Two attempts, and an end in good order is what was wanted.
reconnect_machine machine_in(state wanted) {
  reconnect_machine m({.attempts = 2, .after_orderly_end = reconnect_machine::orderly_end::finish}, 1);
  const auto run = [&](std::initializer_list<std::size_t> way) {
    for (const std::size_t event : way) apply(m, event);
  };
  switch (wanted) {
    case state::idle: break;
    case state::connecting: run({0}); break;
    case state::hurried: run({0, 6}); break;
    case state::connected: run({0, 1}); break;
    case state::waiting: run({0, 2}); break;
    case state::given_up: run({0, 2, 5, 2}); break;
    case state::finished: run({0, 1, 4}); break;
    case state::stopped: run({0, 7}); break;
  }
  REQUIRE(m.current() == wanted);
  return m;
}

struct cell {
  state next;
  action then;
};

using s = state;
using a = action;
// Rows are states, columns events, in their orders.
constexpr std::array<std::array<cell, events>, states> table{{
    {{{s::connecting, a::connect},
      {s::idle, a::none},
      {s::idle, a::none},
      {s::idle, a::none},
      {s::idle, a::none},
      {s::idle, a::none},
      {s::idle, a::none},
      {s::idle, a::none}}},
    {{{s::connecting, a::none},
      {s::connected, a::none},
      {s::waiting, a::wait},
      {s::connecting, a::none},
      {s::connecting, a::none},
      {s::connecting, a::none},
      {s::hurried, a::none},
      {s::stopped, a::cancel}}},
    {{{s::hurried, a::none},
      {s::connected, a::none},
      {s::waiting, a::wait},
      {s::hurried, a::none},
      {s::hurried, a::none},
      {s::hurried, a::none},
      {s::hurried, a::none},
      {s::stopped, a::cancel}}},
    {{{s::connected, a::none},
      {s::connected, a::none},
      {s::connected, a::none},
      {s::waiting, a::wait},
      {s::finished, a::finish},
      {s::connected, a::none},
      {s::connected, a::none},
      {s::stopped, a::cancel}}},
    {{{s::waiting, a::none},
      {s::waiting, a::none},
      {s::waiting, a::none},
      {s::waiting, a::none},
      {s::waiting, a::none},
      {s::connecting, a::connect},
      {s::connecting, a::connect},
      {s::stopped, a::cancel}}},
    {{{s::connecting, a::connect},
      {s::given_up, a::none},
      {s::given_up, a::none},
      {s::given_up, a::none},
      {s::given_up, a::none},
      {s::given_up, a::none},
      {s::given_up, a::none},
      {s::given_up, a::none}}},
    {{{s::connecting, a::connect},
      {s::finished, a::none},
      {s::finished, a::none},
      {s::finished, a::none},
      {s::finished, a::none},
      {s::finished, a::none},
      {s::finished, a::none},
      {s::finished, a::none}}},
    {{{s::connecting, a::connect},
      {s::stopped, a::none},
      {s::stopped, a::none},
      {s::stopped, a::none},
      {s::stopped, a::none},
      {s::stopped, a::none},
      {s::stopped, a::none},
      {s::stopped, a::none}}},
}};

// Lets every attempt fail until none follows; the pauses that were drawn.
std::vector<duration> pauses_of(reconnect_machine m, std::size_t most = 100) {
  std::vector<duration> pauses;
  time_point now{};
  m.start(now);
  while (pauses.size() < most && m.failed(now) == action::wait) {
    pauses.push_back(m.pause());
    now += m.pause();
    m.pause_over();
  }
  return pauses;
}

}  // namespace

TEST_CASE("each event in each state leads where the table says") {
  for (std::size_t at = 0; at < states; ++at) {
    for (std::size_t event = 0; event < events; ++event) {
      reconnect_machine m = machine_in(static_cast<state>(at));
      CAPTURE(std::string(to_string(m.current())) + ", " + event_names[event]);
      const action then = apply(m, event);
      CHECK(std::string(to_string(m.current())) == to_string(table[at][event].next));
      CHECK(std::string(name_of(then)) == name_of(table[at][event].then));
      CHECK(m.is_active() == (m.current() >= state::connecting && m.current() <= state::waiting));
    }
  }
}

TEST_CASE("pauses are drawn from zero to a ceiling that doubles up to the longest") {
  std::array<duration, 6> most{};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto pauses = pauses_of({{.shortest = 100ms, .longest = 1s}, seed}, 6);
    for (std::size_t i = 0; i < 6; ++i) most[i] = std::max(most[i], pauses[i]);
  }
  const std::array<duration, 6> ceilings{100ms, 200ms, 400ms, 800ms, 1s, 1s};
  for (std::size_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    CHECK(most[i] <= ceilings[i]);
    CHECK(most[i] > ceilings[i] * 9 / 10);
  }
}

TEST_CASE("equal seeds draw equal pauses, and others draw others") {
  CHECK(pauses_of({{}, 7}) == pauses_of({{}, 7}));
  CHECK(pauses_of({{}, 7}) != pauses_of({{}, 8}));
}

TEST_CASE("a series has no more attempts than its limit") {
  CHECK(pauses_of({{.attempts = 5}, 1}).size() == 4);
  CHECK(pauses_of({{.attempts = 1}, 1}).empty());
}

TEST_CASE("the last attempt of a series begins when its time is over, not later") {
  const auto pauses = pauses_of({{.longest = 1s, .total = 10s}, 3});
  duration sum{};
  for (const duration each : pauses) sum += each;
  CHECK(sum == 10s);
}

TEST_CASE("a connection that lasted begins a new series, one that did not continues the old one") {
  reconnect_machine m({.shortest = 1ms, .longest = 1h, .settled = 5s, .attempts = 3}, 1);
  time_point now{};
  m.start(now);
  m.made(now);
  CHECK(m.lost(now + 4999ms, false) == action::wait);
  m.pause_over();
  CHECK(m.attempts() == 2);
  m.made(now);
  CHECK(m.lost(now + 5s, false) == action::wait);
  CHECK(m.attempts() == 0);
  CHECK(m.pause() <= 1ms);
  m.pause_over();
  CHECK(m.attempts() == 1);
}

TEST_CASE("without a limit a series goes on, and an end in good order is an end like any other by default") {
  reconnect_machine m({}, 1);
  m.start({});
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE(m.failed({}) == action::wait);
    REQUIRE(m.pause() <= 10s);
    REQUIRE(m.pause_over() == action::connect);
  }
  m.made({});
  CHECK(m.lost({}, true) == action::wait);
}

TEST_CASE("a change in the world ends a pause, and begins again with short ones") {
  reconnect_machine m({.shortest = 1ms, .longest = 1h}, 1);
  m.start({});
  for (int i = 0; i < 20; ++i) {
    m.failed({});
    m.pause_over();
  }
  CHECK(m.retry_now() == action::none);
  CHECK(m.failed({}) == action::wait);
  CHECK(m.pause() == 0ms);
  m.pause_over();
  CHECK(m.failed({}) == action::wait);
  CHECK(m.pause() <= 1ms);
  CHECK(m.retry_now() == action::connect);
}

TEST_CASE("settings that make no sense are refused") {
  CHECK_THROWS_AS(reconnect_machine({.shortest = 0ms}, 1), std::invalid_argument);
  CHECK_THROWS_AS(reconnect_machine({.shortest = 2s, .longest = 1s}, 1), std::invalid_argument);
  CHECK_THROWS_AS(reconnect_machine({.settled = -1ms}, 1), std::invalid_argument);
  CHECK_THROWS_AS(reconnect_machine({.total = -1ms}, 1), std::invalid_argument);
}
