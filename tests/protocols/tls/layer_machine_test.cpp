#include <sluice/tls/layer_machine.hpp>

#include <doctest/doctest.h>

#include <vector>

using sluice::tls::layer_machine;
using state = layer_machine::state;
using action = layer_machine::action;

namespace {

// Machines in each state there is.
layer_machine in(state wanted) {
  layer_machine made;
  if (wanted == state::handshaking) return made;
  if (wanted == state::failed) {
    made.failure();
    return made;
  }
  made.handshake_done();
  if (wanted == state::peer_ended || wanted == state::both_ended) made.peer_notified();
  if (wanted == state::ended || wanted == state::both_ended) made.end_output();
  if (wanted == state::closing) made.close(true);
  if (wanted == state::closed) made.close(false);
  REQUIRE(made.current() == wanted);
  return made;
}

struct step {
  state from;
  action expected;
  state to;
};

template <typename Event>
void check(const std::vector<step>& table, Event event) {
  REQUIRE(table.size() == 8);
  for (const step& each : table) {
    layer_machine machine = in(each.from);
    CAPTURE(to_string(each.from));
    CHECK(event(machine) == each.expected);
    CHECK(to_string(machine.current()) == to_string(each.to));
  }
}

}  // namespace

TEST_CASE("T2 a connection is made when the handshake is done, once") {
  check({{state::handshaking, action::establish, state::open},
         {state::open, action::none, state::open},
         {state::peer_ended, action::none, state::peer_ended},
         {state::ended, action::none, state::ended},
         {state::both_ended, action::none, state::both_ended},
         {state::closing, action::none, state::closing},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.handshake_done(); });
}

TEST_CASE("T6 the peer's goodbye is the end of input") {
  check({{state::handshaking, action::report_cut, state::failed},
         {state::open, action::deliver_eof, state::peer_ended},
         {state::peer_ended, action::none, state::peer_ended},
         {state::ended, action::deliver_eof, state::both_ended},
         {state::both_ended, action::none, state::both_ended},
         {state::closing, action::close_below, state::closed},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.peer_notified(); });
}

TEST_CASE("T6 an end below without the peer's goodbye is a truncation") {
  check({{state::handshaking, action::report_cut, state::failed},
         {state::open, action::report_truncation, state::failed},
         {state::peer_ended, action::none, state::peer_ended},
         {state::ended, action::report_truncation, state::failed},
         {state::both_ended, action::none, state::both_ended},
         {state::closing, action::close_below, state::closed},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.lower_ended(false); });
}

TEST_CASE("T6 a truncation that is allowed is an end of input") {
  check({{state::handshaking, action::report_cut, state::failed},
         {state::open, action::deliver_eof, state::peer_ended},
         {state::peer_ended, action::none, state::peer_ended},
         {state::ended, action::deliver_eof, state::both_ended},
         {state::both_ended, action::none, state::both_ended},
         {state::closing, action::close_below, state::closed},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.lower_ended(true); });
}

TEST_CASE("T7 ending the output says goodbye and goes on listening") {
  check({{state::handshaking, action::none, state::handshaking},
         {state::open, action::notify, state::ended},
         {state::peer_ended, action::notify, state::both_ended},
         {state::ended, action::none, state::ended},
         {state::both_ended, action::none, state::both_ended},
         {state::closing, action::none, state::closing},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.end_output(); });
}

TEST_CASE("T3 T4 closing says goodbye unless that was said, and before the handshake is an abort") {
  check({{state::handshaking, action::abort_below, state::closed},
         {state::open, action::notify_and_close, state::closed},
         {state::peer_ended, action::notify_and_close, state::closed},
         {state::ended, action::close_below, state::closed},
         {state::both_ended, action::close_below, state::closed},
         {state::closing, action::none, state::closing},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.close(false); });
}

TEST_CASE("T4 closing may wait for the peer's goodbye, unless that came") {
  check({{state::handshaking, action::abort_below, state::closed},
         {state::open, action::notify_and_wait, state::closing},
         {state::peer_ended, action::notify_and_close, state::closed},
         {state::ended, action::wait, state::closing},
         {state::both_ended, action::close_below, state::closed},
         {state::closing, action::none, state::closing},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.close(true); });
}

TEST_CASE("a failure is reported once, and not once all is said") {
  check({{state::handshaking, action::report_failure, state::failed},
         {state::open, action::report_failure, state::failed},
         {state::peer_ended, action::report_failure, state::failed},
         {state::ended, action::report_failure, state::failed},
         {state::both_ended, action::report_failure, state::failed},
         {state::closing, action::report_failure, state::failed},
         {state::closed, action::none, state::closed},
         {state::failed, action::none, state::failed}},
        [](layer_machine& machine) { return machine.failure(); });
}
