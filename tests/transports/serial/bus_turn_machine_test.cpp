#include "serial/bus_turn_machine.hpp"

#include <doctest/doctest.h>

#include <array>

using machine = sluice::serial::bus_turn_machine;
using action = machine::action;
using state = machine::state;

namespace {

machine in(state wanted) {
  machine made;
  if (wanted == state::receiving) return made;
  made.output_wanted();
  if (wanted == state::switching) return made;
  made.switched();
  if (wanted == state::sending) return made;
  made.output_gone();
  return made;
}

struct row {
  state from;
  action (machine::*event)() noexcept;
  action then;
  state to;
};

}  // namespace

TEST_CASE("every event of a bus turn in every state leads where the table says") {
  const std::array table{
      row{state::receiving, &machine::output_wanted, action::switch_to_send, state::switching},
      row{state::receiving, &machine::switched, action::none, state::receiving},
      row{state::receiving, &machine::output_gone, action::none, state::receiving},
      row{state::receiving, &machine::waited, action::none, state::receiving},
      row{state::switching, &machine::output_wanted, action::none, state::switching},
      row{state::switching, &machine::switched, action::send, state::sending},
      row{state::switching, &machine::output_gone, action::none, state::switching},
      row{state::switching, &machine::waited, action::none, state::switching},
      row{state::sending, &machine::output_wanted, action::none, state::sending},
      row{state::sending, &machine::switched, action::none, state::sending},
      row{state::sending, &machine::output_gone, action::wait_behind_output, state::leaving},
      row{state::sending, &machine::waited, action::none, state::sending},
      row{state::leaving, &machine::output_wanted, action::send, state::sending},
      row{state::leaving, &machine::switched, action::none, state::leaving},
      row{state::leaving, &machine::output_gone, action::none, state::leaving},
      row{state::leaving, &machine::waited, action::switch_to_receive, state::receiving},
  };
  for (const row& each : table) {
    machine tried = in(each.from);
    REQUIRE(tried.current() == each.from);
    CHECK((tried.*each.event)() == each.then);
    CHECK(tried.current() == each.to);
    CHECK(tried.may_send() == (each.to == state::sending));
  }
}
