#include <sluice/happy_eyeballs_machine.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using namespace sluice;
using state = happy_eyeballs_machine::state;
using action = happy_eyeballs_machine::action;
using pacing = happy_eyeballs_machine::pacing;

namespace {

using event = action (*)(happy_eyeballs_machine&);

action resolved_to_none(happy_eyeballs_machine& m) { return m.resolved(0); }
action resolved_to_one(happy_eyeballs_machine& m) { return m.resolved(1); }
action resolved_to_two(happy_eyeballs_machine& m) { return m.resolved(2); }
action resolved_to_three(happy_eyeballs_machine& m) { return m.resolved(3); }
action not_resolved(happy_eyeballs_machine& m) { return m.not_resolved(); }
action delay_passed(happy_eyeballs_machine& m) { return m.delay_passed(); }
action attempt_failed(happy_eyeballs_machine& m) { return m.attempt_failed(); }
action attempt_succeeded(happy_eyeballs_machine& m) { return m.attempt_succeeded(); }
action deadline_passed(happy_eyeballs_machine& m) { return m.deadline_passed(); }

// Where a race can stand: its state, and the numbers that decide what the next failure or delay leads to.
enum place {
  resolving,
  two_left,     // one attempt under way, two addresses not tried
  one_left,     // one under way, one not tried
  last_of_one,  // one under way
  last_of_two,  // two under way; only where attempts are staggered
  connected,
  failed,
  places
};

std::vector<event> way_to(place target) {
  switch (target) {
    case resolving: return {};
    case two_left: return {resolved_to_three};
    case one_left: return {resolved_to_two};
    case last_of_one: return {resolved_to_one};
    case last_of_two: return {resolved_to_two, delay_passed};
    case connected: return {resolved_to_two, attempt_succeeded};
    case failed: return {resolved_to_one, attempt_failed};
    case places: break;
  }
  return {};
}

constexpr std::array<state, places> state_at{state::resolving, state::trying,    state::trying, state::last,
                                             state::last,      state::connected, state::failed};

const char* name_of(action value) {
  switch (value) {
    case action::none: return "none";
    case action::begin: return "begin";
    case action::begin_and_wait: return "begin_and_wait";
    case action::take: return "take";
    case action::give_up: return "give_up";
  }
  return "?";
}

// What one event does: the next state, how many attempts are under way in it, and what is to be done. `stays` is nothing at all.
struct cell {
  bool stays = true;
  state next = state::resolving;
  std::size_t under_way = 0;
  action then = action::none;

  constexpr cell() = default;
  constexpr cell(state to, std::size_t count, action what) : stays(false), next(to), under_way(count), then(what) {}
};
constexpr cell stays{};
constexpr cell over{state::failed, 0, action::give_up};
constexpr cell won{state::connected, 0, action::take};

using row = std::array<cell, places>;

void check(pacing how, event happens, const row& expected) {
  for (int i = 0; i < places; ++i) {
    if (how == pacing::sequential && i == last_of_two) continue;
    happy_eyeballs_machine machine(how);
    for (const event step : way_to(static_cast<place>(i))) step(machine);
    CAPTURE(i);
    REQUIRE(machine.current() == state_at[static_cast<std::size_t>(i)]);
    const std::size_t under_way = machine.under_way();
    const action then = happens(machine);
    const cell& is = expected[static_cast<std::size_t>(i)];
    CHECK(std::string(name_of(then)) == name_of(is.then));
    CHECK(std::string(to_string(machine.current())) == to_string(is.stays ? state_at[static_cast<std::size_t>(i)] : is.next));
    CHECK(machine.under_way() == (is.stays ? under_way : is.under_way));
  }
}

void check_both(event happens, const row& expected) {
  check(pacing::staggered, happens, expected);
  check(pacing::sequential, happens, expected);
}

const address four("127.0.0.1", 1), other_four("127.0.0.2", 1), third_four("127.0.0.3", 1);
const address six("::1", 1), other_six("::2", 1), third_six("::3", 1);

}  // namespace

// Each row lists the cells in the order of the places:
// resolving | two_left, one_left | last_of_one, last_of_two | connected, failed.

TEST_CASE("N1 addresses begin the first attempt, and only where there are several is there something to wait for") {
  check_both(resolved_to_none, {over, stays, stays, stays, stays, stays, stays});
  check_both(resolved_to_one, {cell{state::last, 1, action::begin}, stays, stays, stays, stays, stays, stays});
  check(pacing::staggered, resolved_to_two, {cell{state::trying, 1, action::begin_and_wait}, stays, stays, stays, stays, stays, stays});
  check(pacing::sequential, resolved_to_two, {cell{state::trying, 1, action::begin}, stays, stays, stays, stays, stays, stays});
  check_both(not_resolved, {over, stays, stays, stays, stays, stays, stays});
}

TEST_CASE("N3 a delay that has passed begins one attempt more and ends none") {
  check(pacing::staggered, delay_passed,
        {stays, cell{state::trying, 2, action::begin_and_wait}, cell{state::last, 2, action::begin}, stays, stays, stays, stays});
  check(pacing::sequential, delay_passed, {stays, stays, stays, stays, stays, stays, stays});
}

TEST_CASE("N1 a failed attempt begins the next at once, and the last one that fails ends the race") {
  check(pacing::staggered, attempt_failed,
        {stays, cell{state::trying, 1, action::begin_and_wait}, cell{state::last, 1, action::begin}, over,
         cell{state::last, 1, action::none}, stays, stays});
  check(pacing::sequential, attempt_failed,
        {stays, cell{state::trying, 1, action::begin}, cell{state::last, 1, action::begin}, over, stays, stays, stays});
}

TEST_CASE("N4 the first success ends the race, and nothing that comes later changes that") {
  check_both(attempt_succeeded, {stays, won, won, won, won, stays, stays});
}

TEST_CASE("N7 the deadline ends whatever is under way") { check_both(deadline_passed, {over, over, over, over, over, stays, stays}); }

TEST_CASE("the index of the next address counts the attempts that were begun") {
  happy_eyeballs_machine machine;
  CHECK(machine.begun() == 0);
  machine.resolved(3);
  CHECK(machine.begun() == 1);
  machine.delay_passed();
  machine.attempt_failed();
  CHECK(machine.begun() == 3);
  CHECK(machine.under_way() == 2);
  machine.attempt_failed();
  CHECK(machine.current() == state::last);
  CHECK(machine.attempt_failed() == action::give_up);
}

TEST_CASE("each state has a name of its own") {
  for (const state one : state_at)
    for (const state other : state_at) CHECK((one == other) == (std::string(to_string(one)) == to_string(other)));
}

TEST_CASE("N2 the families take turns, beginning with that of the first address") {
  using list = std::vector<address>;
  CHECK(interleave_families({}, 1).empty());
  CHECK(interleave_families({six, other_six, four, other_four}, 1) == list{six, four, other_six, other_four});
  CHECK(interleave_families({four, other_four, third_four, six}, 1) == list{four, six, other_four, third_four});
  CHECK(interleave_families({four, six, other_six, third_six}, 1) == list{four, six, other_six, third_six});
  CHECK(interleave_families({six, other_six, third_six}, 1) == list{six, other_six, third_six});
}

TEST_CASE("N2 the first family may have several turns before the other one gets its first") {
  using list = std::vector<address>;
  CHECK(interleave_families({six, other_six, third_six, four, other_four}, 2) == list{six, other_six, four, third_six, other_four});
  CHECK(interleave_families({four, six, other_four, third_four}, 3) == list{four, other_four, third_four, six});
  CHECK(interleave_families({four, six, other_six}, 99) == list{four, six, other_six});
}

TEST_CASE("N2 a count of 0 keeps the order, and an address that was found twice is tried once") {
  using list = std::vector<address>;
  CHECK(interleave_families({six, other_six, four, six}, 0) == list{six, other_six, four});
  CHECK(interleave_families({six, six, four, six, four}, 1) == list{six, four});
}
