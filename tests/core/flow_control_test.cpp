#include <sluice/flow_control.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>

using sluice::flow_control_machine;
using sluice::resolve;
using sluice::watermarks;
using state = flow_control_machine::state;
using action = flow_control_machine::action;

namespace {

constexpr watermarks marks{.low = 10, .high = 20};
constexpr auto largest = std::numeric_limits<std::size_t>::max();

flow_control_machine machine_in(state wanted) {
  flow_control_machine machine;
  switch (wanted) {
    case state::writable: break;
    case state::paused: machine.evaluate(21, marks); break;
    case state::closed: machine.closed(); break;
  }
  REQUIRE(machine.current() == wanted);
  return machine;
}

struct cell {
  state before;
  std::size_t size;
  action then;
  state after;
};

}  // namespace

TEST_CASE("a size pauses strictly above the high mark and resumes at the low mark, from each state") {
  constexpr std::array cells{
      cell{state::writable, 0, action::none, state::writable},  cell{state::writable, 10, action::none, state::writable},
      cell{state::writable, 11, action::none, state::writable}, cell{state::writable, 20, action::none, state::writable},
      cell{state::writable, 21, action::pause, state::paused},  cell{state::writable, largest, action::pause, state::paused},
      cell{state::paused, 0, action::resume, state::writable},  cell{state::paused, 10, action::resume, state::writable},
      cell{state::paused, 11, action::none, state::paused},     cell{state::paused, 20, action::none, state::paused},
      cell{state::paused, 21, action::none, state::paused},     cell{state::paused, largest, action::none, state::paused},
      cell{state::closed, 0, action::none, state::closed},      cell{state::closed, 10, action::none, state::closed},
      cell{state::closed, 11, action::none, state::closed},     cell{state::closed, 20, action::none, state::closed},
      cell{state::closed, 21, action::none, state::closed},     cell{state::closed, largest, action::none, state::closed},
  };
  for (const cell& each : cells) {
    CAPTURE(static_cast<int>(each.before));
    CAPTURE(each.size);
    flow_control_machine machine = machine_in(each.before);
    CHECK(machine.evaluate(each.size, marks) == each.then);
    CHECK(machine.current() == each.after);
  }
}

TEST_CASE("closing ends flow control from each state") {
  for (const state before : {state::writable, state::paused, state::closed}) {
    flow_control_machine machine = machine_in(before);
    machine.closed();
    CHECK(machine.current() == state::closed);
  }
}

TEST_CASE("a new protocol starts writable from each state but closed") {
  flow_control_machine writable = machine_in(state::writable);
  writable.replaced();
  CHECK(writable.current() == state::writable);

  flow_control_machine paused = machine_in(state::paused);
  paused.replaced();
  CHECK(paused.current() == state::writable);
  CHECK(paused.evaluate(21, marks) == action::pause);

  flow_control_machine closed = machine_in(state::closed);
  closed.replaced();
  CHECK(closed.current() == state::closed);
}

TEST_CASE("marks of zero pause on any byte and resume when none is left") {
  flow_control_machine machine;
  constexpr watermarks none{.low = 0, .high = 0};
  CHECK(machine.evaluate(0, none) == action::none);
  CHECK(machine.evaluate(1, none) == action::pause);
  CHECK(machine.evaluate(1, none) == action::none);
  CHECK(machine.evaluate(0, none) == action::resume);
  CHECK(machine.evaluate(0, none) == action::none);
}

TEST_CASE("changed marks count from the next evaluation on, in both directions") {
  flow_control_machine machine;
  CHECK(machine.evaluate(15, marks) == action::none);
  CHECK(machine.evaluate(15, {.low = 2, .high = 14}) == action::pause);
  CHECK(machine.evaluate(15, {.low = 15, .high = 60}) == action::resume);
}

TEST_CASE("an unset mark follows from the other one, and two unset marks are the defaults") {
  CHECK(resolve({}) == watermarks{.low = 16 * 1024, .high = 64 * 1024});
  CHECK(resolve({}, {.low = 3, .high = 7}) == watermarks{.low = 3, .high = 7});
  CHECK(resolve({.high = 100, .low = {}}) == watermarks{.low = 25, .high = 100});
  CHECK(resolve({.high = 3, .low = {}}) == watermarks{.low = 0, .high = 3});
  CHECK(resolve({.high = 0, .low = {}}) == watermarks{.low = 0, .high = 0});
  CHECK(resolve({.high = {}, .low = 100}) == watermarks{.low = 100, .high = 400});
  CHECK(resolve({.high = {}, .low = 0}) == watermarks{.low = 0, .high = 0});
  CHECK(resolve({.high = {}, .low = largest / 4 + 1}) == watermarks{.low = largest / 4 + 1, .high = largest});
  CHECK(resolve({.high = 7, .low = 7}) == watermarks{.low = 7, .high = 7});
}

TEST_CASE("a low mark above the high one stands for nothing") {
  CHECK_FALSE(resolve({.high = 7, .low = 8}));
  CHECK_FALSE(resolve({.high = 0, .low = 1}));
}
