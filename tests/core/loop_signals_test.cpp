#include <sluice/loop.hpp>

#include <sluice/error.hpp>
#include <sluice/timer.hpp>

#include <csignal>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using plain_handler = void (*)(int);

bool stands_at(int number, plain_handler expected) {
  struct sigaction now {};
  REQUIRE(sigaction(number, nullptr, &now) == 0);
  return now.sa_handler == expected;
}

void send_self(int number) { REQUIRE(kill(getpid(), number) == 0); }

// Keeps a loop running until a handler has been called `expected` times.
struct expected_calls {
  explicit expected_calls(loop& owner, int expected = 1) : missing(expected), open(owner, [] { FAIL("no signal within a minute"); }) {
    open.start(1min);
  }
  void operator()() {
    if (--missing == 0) open.stop();
  }
  int missing;
  timer open;
};

}  // namespace

// The first test of this program, for the first loop of a process is special.
TEST_CASE("G2 the first loop sets SIGPIPE to ignored if it stood at its default, and no loop touches it otherwise") {
  REQUIRE(stands_at(SIGPIPE, SIG_DFL));
  { const loop first; }
  CHECK(stands_at(SIGPIPE, SIG_IGN));
  std::signal(SIGPIPE, SIG_DFL);
  { const loop second; }
  CHECK(stands_at(SIGPIPE, SIG_DFL));
  const plain_handler mine = [](int) {};
  std::signal(SIGPIPE, mine);
  { const loop third; }
  CHECK(stands_at(SIGPIPE, mine));
  std::signal(SIGPIPE, SIG_IGN);
}

TEST_CASE("G1 a handler runs in the loop, as a turn, and alone does not keep it running") {
  loop one;
  bool in_turn = false;
  expected_calls calls(one);
  one.on_signal(SIGUSR1, [&] {
    in_turn = one.in_turn();
    calls();
  });
  send_self(SIGUSR1);
  CHECK(calls.missing == 1);
  one.run();
  CHECK(calls.missing == 0);
  CHECK(in_turn);
  CHECK(one.counters().signals_handled == 1);
  one.run();
}

TEST_CASE("G1 a signal number that is invalid or cannot be caught, or a missing handler, is an argument error that says so") {
  loop one;
  for (const int number : {SIGKILL, SIGSTOP, 0, -1, 1000}) {
    CAPTURE(number);
    std::error_code error;
    one.on_signal(
        number, [] {}, error);
    CHECK(error == std::errc::invalid_argument);
    CHECK_FALSE(one.remove_signal(number));
    CHECK_THROWS_WITH_AS(one.on_signal(number, [] {}),
                         doctest::Contains(("loop::on_signal: signal " + std::to_string(number) + ": expected").c_str()),
                         std::system_error);
  }
  CHECK_THROWS_AS(one.on_signal(SIGUSR1, nullptr), std::system_error);
  CHECK(stands_at(SIGUSR1, SIG_DFL));
}

TEST_CASE("G1 a second handler for a signal replaces the first, also from inside it") {
  loop one;
  std::string order;
  expected_calls calls(one, 2);
  one.on_signal(SIGUSR1, [] { FAIL("was replaced"); });
  one.on_signal(SIGUSR1, [&, name = std::string("first, ")] {
    one.on_signal(SIGUSR1, [&] {
      order += "second";
      calls();
    });
    order += name;  // the captures of the call that is running are still there
    calls();
    send_self(SIGUSR1);
  });
  send_self(SIGUSR1);
  one.run();
  CHECK(order == "first, second");
}

TEST_CASE("G1 removing a handler says whether there was one, restores the default, and is possible inside the handler") {
  loop one;
  CHECK_FALSE(one.remove_signal(SIGUSR1));
  expected_calls calls(one);
  one.on_signal(SIGUSR1, [&, name = std::string("captured")] {
    CHECK(one.remove_signal(SIGUSR1));
    CHECK(name == "captured");
    calls();
  });
  CHECK_FALSE(stands_at(SIGUSR1, SIG_DFL));
  send_self(SIGUSR1);
  one.run();
  CHECK(stands_at(SIGUSR1, SIG_DFL));
  CHECK_FALSE(one.remove_signal(SIGUSR1));
}

TEST_CASE("G1 two loops may handle one signal, and it keeps its handler until the last of them is gone") {
  auto one = std::make_unique<loop>();
  loop two;
  expected_calls first(*one), second(two);
  one->on_signal(SIGUSR1, [&] { first(); });
  two.on_signal(SIGUSR1, [&] { second(); });
  send_self(SIGUSR1);
  one->run();
  two.run();
  CHECK(first.missing + second.missing == 0);
  one.reset();
  CHECK_FALSE(stands_at(SIGUSR1, SIG_DFL));
  CHECK(two.remove_signal(SIGUSR1));
  CHECK(stands_at(SIGUSR1, SIG_DFL));
}

TEST_CASE("G1 the end of a loop restores the default, and a later loop can handle the same signal") {
  {
    loop one;
    one.on_signal(SIGUSR1, [] { FAIL("the loop does not run"); });
    send_self(SIGUSR1);
  }
  CHECK(stands_at(SIGUSR1, SIG_DFL));
  loop two;
  expected_calls calls(two);
  two.on_signal(SIGUSR1, [&] { calls(); });
  send_self(SIGUSR1);
  two.run();
  CHECK(calls.missing == 0);
}

TEST_CASE("G1 different signals have handlers of their own") {
  loop one;
  std::vector<int> order;
  expected_calls calls(one, 3);
  for (const int number : {SIGUSR1, SIGUSR2, SIGHUP}) {
    one.on_signal(number, [&, number] {
      order.push_back(number);
      calls();
    });
  }
  send_self(SIGHUP);
  send_self(SIGUSR1);
  send_self(SIGUSR2);
  one.run();
  CHECK(order == std::vector{SIGHUP, SIGUSR1, SIGUSR2});
}

TEST_CASE("G1 a handler that throws is reported with the number of its signal") {
  loop one;
  std::string line;
  one.on_error([&](const error_event& event) { line = describe(event); });
  expected_calls calls(one);
  one.on_signal(SIGUSR1, [&] {
    calls();
    throw std::runtime_error("no luck");
  });
  send_self(SIGUSR1);
  one.run();
  CHECK(line == "sluice: scheduled function: the handler of signal " + std::to_string(SIGUSR1) + ": no luck");
}

TEST_CASE("G2 SIGPIPE does not kill the process once its handler is removed") {
  loop one;
  expected_calls calls(one);
  one.on_signal(SIGPIPE, [&] { calls(); });
  send_self(SIGPIPE);
  one.run();
  CHECK(one.remove_signal(SIGPIPE));
  CHECK(stands_at(SIGPIPE, SIG_IGN));
  send_self(SIGPIPE);
}
