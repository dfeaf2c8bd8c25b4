#include <sluice/connection_machine.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using sluice::connection_machine;
using state = connection_machine::state;
using action = connection_machine::action;

namespace {

constexpr std::array states{state::connecting, state::open,      state::peer_ended, state::ending,  state::ended,
                            state::both_ended, state::flushing,  state::draining,   state::closing, state::finishing,
                            state::lost,       state::releasing, state::released};

using event = action (*)(connection_machine&);

action made(connection_machine& m) { return m.made(); }
action eof_seen(connection_machine& m) { return m.eof_seen(); }
action eof_kept_open(connection_machine& m) { return m.eof_answered(true, true); }
action eof_kept_open_with_queue(connection_machine& m) { return m.eof_answered(true, false); }
action eof_closed(connection_machine& m) { return m.eof_answered(false, true); }
action eof_closed_with_queue(connection_machine& m) { return m.eof_answered(false, false); }
action write_eof(connection_machine& m) { return m.write_eof(true); }
action write_eof_with_queue(connection_machine& m) { return m.write_eof(false); }
action drained(connection_machine& m) { return m.drained(); }
action output_ended(connection_machine& m) { return m.output_ended(); }
action closed(connection_machine& m) { return m.close(true); }
action closed_with_queue(connection_machine& m) { return m.close(false); }
action aborted(connection_machine& m) { return m.abort(); }
action read_failed(connection_machine& m) { return m.read_failed(); }
action write_failed(connection_machine& m) { return m.write_failed(true); }
action write_failed_unread(connection_machine& m) { return m.write_failed(false); }
action goodbye_said(connection_machine& m) { return m.goodbye_said(); }
action finished(connection_machine& m) { return m.finish(); }
action lost_delivered(connection_machine& m) { return m.lost_delivered(false); }
action lost_lingering(connection_machine& m) { return m.lost_delivered(true); }
action linger_over(connection_machine& m) { return m.linger_over(); }
action released(connection_machine& m) { return m.released(); }

// The shortest way into each state.
std::vector<event> way_to(state target) {
  switch (target) {
    case state::connecting: return {};
    case state::open: return {made};
    case state::peer_ended: return {made, eof_seen};
    case state::ending: return {made, write_eof_with_queue};
    case state::ended: return {made, write_eof, output_ended};
    case state::both_ended: return {made, write_eof, output_ended, eof_seen};
    case state::flushing: return {made, closed_with_queue};
    case state::draining: return {made, write_failed};
    case state::closing: return {made, closed};
    case state::finishing: return {made, aborted};
    case state::lost: return {made, aborted, finished};
    case state::releasing: return {made, aborted, finished, lost_delivered};
    case state::released: return {made, aborted, finished, lost_delivered, released};
  }
  return {};
}

connection_machine machine_in(state wanted) {
  connection_machine machine;
  for (const event step : way_to(wanted)) step(machine);
  return machine;
}

const char* name_of(action value) {
  switch (value) {
    case action::none: return "none";
    case action::deliver_eof: return "deliver_eof";
    case action::end_output: return "end_output";
    case action::flush_output: return "flush_output";
    case action::begin_close: return "begin_close";
    case action::drain_input: return "drain_input";
    case action::abort: return "abort";
    case action::post_finish: return "post_finish";
    case action::deliver_lost: return "deliver_lost";
    case action::release: return "release";
  }
  return "?";
}

// What one event does in one state: the next state and what the engine has to do. `stays` is nothing at all.
struct cell {
  bool stays = true;
  state next = state::connecting;
  action then = action::none;

  constexpr cell() = default;
  constexpr cell(state to, action what) : stays(false), next(to), then(what) {}
};
constexpr cell stays{};
constexpr cell cut{state::finishing, action::abort};
constexpr cell goodbye{state::closing, action::begin_close};
constexpr cell flush{state::flushing, action::flush_output};
constexpr cell drain{state::draining, action::drain_input};
constexpr cell let_go{state::releasing, action::release};

using row = std::array<cell, states.size()>;

void check(event happens, const row& expected) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    connection_machine machine = machine_in(states[i]);
    CAPTURE(std::string(to_string(states[i])));
    REQUIRE(machine.current() == states[i]);
    const action then = happens(machine);
    CHECK(std::string(name_of(then)) == name_of(expected[i].then));
    CHECK(std::string(to_string(machine.current())) == to_string(expected[i].stays ? states[i] : expected[i].next));
  }
}

}  // namespace

// Each row lists the cells in the order of the states:
// connecting, open, peer_ended, ending | ended, both_ended, flushing, draining, closing | finishing, lost, releasing, released.

TEST_CASE("made opens a connection that was connecting, and means nothing later") {
  check(made, {cell{state::open, action::none}, stays, stays, stays,  //
               stays, stays, stays, stays, stays,                     //
               stays, stays, stays, stays});
}

TEST_CASE("the peer's end is delivered once, ends a drain and a linger, and closes what has ended its own output") {
  check(eof_seen, {stays, cell{state::peer_ended, action::deliver_eof}, stays, cell{state::both_ended, action::deliver_eof},  //
                   cell{state::both_ended, action::deliver_eof}, stays, stays, cut, stays,                                    //
                   stays, let_go, stays, stays});
}

TEST_CASE("an answer to the peer's end that keeps the output open changes nothing unless both ends are done") {
  check(eof_kept_open, {stays, stays, stays, stays,           //
                        stays, goodbye, stays, stays, stays,  //
                        stays, stays, stays, stays});
  check(eof_kept_open_with_queue, {stays, stays, stays, stays,         //
                                   stays, flush, stays, stays, stays,  //
                                   stays, stays, stays, stays});
}

TEST_CASE("an answer to the peer's end that closes does so, after what is queued") {
  check(eof_closed, {stays, stays, goodbye, stays,         //
                     stays, goodbye, stays, stays, stays,  //
                     stays, stays, stays, stays});
  check(eof_closed_with_queue, {stays, stays, flush, stays,         //
                                stays, flush, stays, stays, stays,  //
                                stays, stays, stays, stays});
}

TEST_CASE("write_eof ends the output behind what is queued, and closes a connection whose peer has ended") {
  check(write_eof, {stays, cell{state::ending, action::end_output}, goodbye, stays,  //
                    stays, stays, stays, stays, stays,                               //
                    stays, stays, stays, stays});
  check(write_eof_with_queue, {stays, cell{state::ending, action::none}, flush, stays,  //
                               stays, stays, stays, stays, stays,                       //
                               stays, stays, stays, stays});
}

TEST_CASE("an empty queue lets the end of output and the goodbye go out") {
  check(drained, {stays, stays, stays, cell{state::ending, action::end_output},  //
                  stays, stays, goodbye, stays, stays,                           //
                  stays, stays, stays, stays});
}

TEST_CASE("the channel takes the end of output once") {
  check(output_ended, {stays, stays, stays, cell{state::ended, action::none},  //
                       stays, stays, stays, stays, stays,                      //
                       stays, stays, stays, stays});
}

TEST_CASE("close says goodbye after what is queued, cuts a handshake or a drain, and does nothing twice") {
  check(closed, {cut, goodbye, goodbye, goodbye,       //
                 goodbye, goodbye, stays, cut, stays,  //
                 stays, stays, stays, stays});
  check(closed_with_queue, {cut, flush, flush, flush,         //
                            flush, flush, stays, cut, stays,  //
                            stays, stays, stays, stays});
}

TEST_CASE("abort ends everything that is not ending at once already") {
  check(aborted, {cut, cut, cut, cut,       //
                  cut, cut, cut, cut, cut,  //
                  stays, stays, stays, stays});
}

TEST_CASE("a dead channel is an abort, and the end of a linger") {
  check(read_failed, {cut, cut, cut, cut,       //
                      cut, cut, cut, cut, cut,  //
                      stays, let_go, stays, stays});
}

TEST_CASE("a failed write goes on reading only where there may be something to read") {
  check(write_failed, {cut, drain, cut, drain,       //
                       drain, cut, cut, stays, cut,  //
                       stays, stays, stays, stays});
  check(write_failed_unread, {cut, cut, cut, cut,         //
                              cut, cut, cut, stays, cut,  //
                              stays, stays, stays, stays});
}

TEST_CASE("a goodbye that was said posts the finish, and one that nobody asked for is the end of the channel") {
  check(goodbye_said, {cut, cut, cut, cut,                                               //
                       cut, cut, cut, cut, cell{state::finishing, action::post_finish},  //
                       stays, stays, stays, stays});
}

TEST_CASE("connection_lost is delivered by the posted finish alone") {
  check(finished, {stays, stays, stays, stays,         //
                   stays, stays, stays, stays, stays,  //
                   cell{state::lost, action::deliver_lost}, stays, stays, stays});
}

TEST_CASE("the handle is given back after connection_lost, at once or when lingering is over") {
  check(lost_delivered, {stays, stays, stays, stays,         //
                         stays, stays, stays, stays, stays,  //
                         stays, let_go, stays, stays});
  check(lost_lingering, {stays, stays, stays, stays,         //
                         stays, stays, stays, stays, stays,  //
                         stays, stays, stays, stays});
  check(linger_over, {stays, stays, stays, stays,         //
                      stays, stays, stays, stays, stays,  //
                      stays, let_go, stays, stays});
}

TEST_CASE("a handle that was given back is the end") {
  check(released, {stays, stays, stays, stays,         //
                   stays, stays, stays, stays, stays,  //
                   stays, stays, cell{state::released, action::none}, stays});
}

namespace {

std::string where(bool (connection_machine::*holds)() const noexcept) {
  std::string result;
  for (const state each : states) result += (machine_in(each).*holds)() ? '1' : '0';
  return result;
}

}  // namespace

TEST_CASE("the predicates hold in the states that they name") {
  CHECK(where(&connection_machine::is_closing) == "0000001111111");
  CHECK(where(&connection_machine::takes_output) == "0110000000000");
  CHECK(where(&connection_machine::delivers_input) == "0101100100000");
  CHECK(where(&connection_machine::is_live) == "0111111111000");
  CHECK(where(&connection_machine::is_over) == "0000000000111");
}

TEST_CASE("each state has a name of its own") {
  for (const state one : states)
    for (const state other : states) CHECK((one == other) == (std::string(to_string(one)) == to_string(other)));
}

TEST_CASE("E10, P3 a connection of one way starts where the other way has ended, and ends by the same rules") {
  using ways = connection_machine::ways;
  connection_machine reader;
  CHECK(reader.made(ways::input_only) == action::none);
  CHECK(reader.current() == state::ended);
  CHECK_FALSE(reader.takes_output());
  CHECK(reader.delivers_input());
  CHECK(reader.eof_seen() == action::deliver_eof);
  CHECK(reader.eof_answered(true, true) == action::begin_close);

  connection_machine writer;
  CHECK(writer.made(ways::output_only) == action::none);
  CHECK(writer.current() == state::peer_ended);
  CHECK(writer.takes_output());
  CHECK_FALSE(writer.delivers_input());
  CHECK(writer.eof_seen() == action::none);
  CHECK(writer.write_eof(true) == action::begin_close);
}
