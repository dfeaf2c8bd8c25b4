#include <sluice/process_machine.hpp>

#include <array>
#include <string>

#include <doctest/doctest.h>

using sluice::process_machine;
using state = process_machine::state;
using action = process_machine::action;

namespace {

constexpr std::array states{state::starting,        state::running, state::unpiped,   state::closing,
                            state::closing_unpiped, state::exited,  state::finishing, state::lost};

// The shortest way into each state.
process_machine machine_in(state wanted) {
  process_machine m;
  if (wanted == state::starting) return m;
  m.made(wanted != state::unpiped && wanted != state::closing_unpiped);
  if (wanted == state::closing || wanted == state::closing_unpiped) m.close();
  if (wanted == state::exited || wanted == state::finishing) m.child_exited();
  if (wanted == state::finishing) m.last_pipe_lost();
  if (wanted == state::lost) m.scheduler_ends();
  return m;
}

struct cell {
  state next;
  action then = action::none;
};
using row = std::array<cell, states.size()>;

void check(action (*happens)(process_machine&), const row& expected) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    process_machine machine = machine_in(states[i]);
    CAPTURE(std::string(to_string(states[i])));
    REQUIRE(machine.current() == states[i]);
    CHECK(happens(machine) == expected[i].then);
    CHECK(std::string(to_string(machine.current())) == to_string(expected[i].next));
  }
}

constexpr cell starting{state::starting}, running{state::running}, unpiped{state::unpiped}, closing{state::closing},
    closing_unpiped{state::closing_unpiped}, exited{state::exited}, finishing{state::finishing}, lost{state::lost};
constexpr cell post{state::finishing, action::post_finish};
constexpr cell over{state::lost, action::deliver_lost};

}  // namespace

TEST_CASE("U1 every event of a process in every state") {
  // in this order: starting, running, unpiped, closing, closing_unpiped, exited, finishing, lost
  check([](process_machine& m) { return m.made(true); }, {running, running, unpiped, closing, closing_unpiped, exited, finishing, lost});
  check([](process_machine& m) { return m.made(false); }, {unpiped, running, unpiped, closing, closing_unpiped, exited, finishing, lost});
  check([](process_machine& m) { return m.child_exited(); }, {starting, exited, post, exited, post, exited, finishing, lost});
  check([](process_machine& m) { return m.last_pipe_lost(); },
        {starting, unpiped, unpiped, closing_unpiped, closing_unpiped, post, finishing, lost});
  check([](process_machine& m) { return m.close(); }, {starting,
                                                       {state::closing, action::end_child},
                                                       {state::closing_unpiped, action::end_child},
                                                       closing,
                                                       closing_unpiped,
                                                       {state::exited, action::close_pipes},
                                                       finishing,
                                                       lost});
  check([](process_machine& m) { return m.finish(); }, {starting, running, unpiped, closing, closing_unpiped, exited, over, lost});
  check([](process_machine& m) { return m.scheduler_ends(); }, {starting, over, over, over, over, over, over, lost});
}

TEST_CASE("U3 a child can be signalled until it is reaped") {
  for (const state each : states) {
    const bool expected = each == state::running || each == state::unpiped || each == state::closing || each == state::closing_unpiped;
    CHECK(machine_in(each).has_child() == expected);
    CHECK(machine_in(each).is_closing() == (each != state::starting && each != state::running && each != state::unpiped));
  }
}
