// The machines of a connection, of flow control, of deadlines, of a race between addresses and of a turn on a two-wire bus: each byte of the input is one event. Whatever
// the order, each promise that the engine builds on holds, and everything that was started can still be ended.

#include <sluice/connection_machine.hpp>
#include <sluice/detail/deadline_watch.hpp>
#include <sluice/flow_control.hpp>
#include <sluice/happy_eyeballs_machine.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "serial/bus_turn_machine.hpp"

using namespace sluice;

namespace {

using state = connection_machine::state;
using action = connection_machine::action;

void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", rule);
  std::abort();
}

connection_machine::ways ways_of(bool first, bool second) {
  if (first) return connection_machine::ways::input_only;
  return second ? connection_machine::ways::output_only : connection_machine::ways::both;
}

// Which event a byte stands for: its low bits; the two bits above are the event's arguments.
action feed(connection_machine& machine, unsigned event, bool first, bool second) {
  switch (event) {
    case 0: return machine.made(ways_of(first, second));
    case 1: return machine.eof_seen();
    case 2: return machine.eof_answered(first, second);
    case 3: return machine.write_eof(first);
    case 4: return machine.drained();
    case 5: return machine.output_ended();
    case 6: return machine.close(first);
    case 7: return machine.abort();
    case 8: return machine.read_failed();
    case 9: return machine.write_failed(first);
    case 10: return machine.goodbye_said();
    case 11: return machine.finish();
    case 12: return machine.lost_delivered(first);
    case 13: return machine.linger_over();
    case 14: return machine.released();
    default: return action::none;
  }
}

// Follows the machine from outside, with nothing but the actions that it returned.
class connection_walk {
 public:
  void step(std::uint8_t byte) {
    const state before = machine_.current();
    const bool was_closing = machine_.is_closing();
    const bool took_output = machine_.takes_output();
    const action then = feed(machine_, byte & 0x0fU, (byte & 0x10U) != 0, (byte & 0x20U) != 0);
    require(!was_closing || machine_.is_closing(), "closing is for ever");
    require(took_output || before == state::connecting || !machine_.takes_output(), "output that ended does not begin again");
    require(before < state::flushing || before > state::closing || machine_.current() >= state::flushing, "an end is not taken back");
    require(before < state::finishing || machine_.current() >= before, "from the posted finish on there is only forwards");
    count(then);
  }

  // What the engine does with a connection that is cut in whatever state: it always gets to the end.
  void end() {
    count(machine_.abort());
    count(machine_.finish());
    count(machine_.lost_delivered(false));
    count(machine_.released());
    require(machine_.current() == state::released, "each connection can be brought to its end");
    require(losses_ == 1, "connection_lost is delivered exactly once");
    require(releases_ == 1, "the handle is given back exactly once");
    require(posts_ == 1, "one finish is posted");
  }

 private:
  void count(action then) {
    require(losses_ == 0 || then == action::none || then == action::release || then == action::deliver_lost, "nothing after the loss");
    require(releases_ == 0 || then == action::none, "nothing after the release");
    switch (then) {
      case action::none: break;
      case action::deliver_eof: require(++eofs_ == 1, "the end of input is delivered at most once"); break;
      case action::end_output: break;  // asked for until it is reported done
      case action::flush_output: break;
      case action::begin_close: require(++goodbyes_ == 1, "one goodbye is begun"); break;
      case action::drain_input: require(++drains_ == 1 && goodbyes_ == 0, "output fails at most once, and before the goodbye"); break;
      case action::abort:
      case action::post_finish: require(++posts_ == 1, "one finish is posted"); break;
      case action::deliver_lost: require(++losses_ == 1 && posts_ == 1, "connection_lost follows one posted finish"); break;
      case action::release: require(++releases_ == 1 && losses_ == 1, "the handle is given back once, after the loss"); break;
    }
  }

  connection_machine machine_;
  int eofs_ = 0;
  int goodbyes_ = 0;
  int drains_ = 0;
  int posts_ = 0;
  int losses_ = 0;
  int releases_ = 0;
};

class flow_walk {
 public:
  void step(std::uint8_t byte) {
    if (byte == 0xff) {
      machine_.closed();
      closed_ = true;
    } else if (byte == 0xfe) {
      machine_.replaced();
      paused_ = false;  // the new protocol was told nothing yet
    } else if (byte >= 0xf0) {
      marks_ = {.low = std::size_t{byte} & 3U, .high = (std::size_t{byte} & 3U) + ((std::size_t{byte} >> 2U) & 3U)};
      evaluate();
    } else {
      size_ = byte & 0x0fU;
      evaluate();
    }
  }

 private:
  void evaluate() {
    switch (machine_.evaluate(size_, marks_)) {
      case flow_control_machine::action::none: break;
      case flow_control_machine::action::pause:
        require(!paused_, "a pause follows a resume");
        require(size_ > marks_.high, "a pause is above the high mark");
        paused_ = true;
        break;
      case flow_control_machine::action::resume:
        require(paused_, "a resume follows a pause");
        require(size_ <= marks_.low, "a resume is at the low mark");
        paused_ = false;
        break;
    }
    if (closed_) return;
    require(!paused_ || size_ > marks_.low, "no pause outlasts a queue at its low mark");
    require(paused_ || size_ <= marks_.high, "no queue above its high mark goes without a pause");
  }

  flow_control_machine machine_;
  watermarks marks_{.low = 2, .high = 8};
  std::size_t size_ = 0;
  bool paused_ = false;
  bool closed_ = false;
};

// Attempts to connect, followed with nothing but the actions.
class race_walk {
 public:
  using machine = happy_eyeballs_machine;
  using action_type = machine::action;

  explicit race_walk(machine::pacing how) : machine_(how), pacing_(how) {}

  void step(std::uint8_t byte) {
    const std::size_t argument = byte >> 3U;
    switch (byte & 7U) {
      case 0:
        if (machine_.current() == machine::state::resolving) addresses_ = argument;
        return count(machine_.resolved(argument));
      case 1: return count(machine_.not_resolved());
      case 2: return delay();
      case 3: return fail();
      case 4: return count(machine_.attempt_succeeded());
      case 5: return count(machine_.deadline_passed());
      default: return fail();  // so that long races come to their ends
    }
  }

  void end() {
    const bool was_over = over_;
    count(machine_.deadline_passed());
    require(over_ && (was_over || machine_.current() == machine::state::failed), "each race can be brought to its end");
  }

 private:
  void delay() {
    const action_type then = machine_.delay_passed();
    require(then == action_type::none || waiting_, "an attempt begins by a delay only where one was asked for");
    count(then);
  }

  void fail() {
    const bool was_over = over_ || machine_.current() == machine::state::resolving;
    if (!was_over) --under_way_;
    const action_type then = machine_.attempt_failed();
    require(was_over || then != action_type::none || under_way_ != 0, "where none is under way something happens");
    require(then != action_type::give_up || (under_way_ == 0 && begun_ == addresses_), "nothing is given up while there is hope");
    count(then);
  }

  void count(action_type then) {
    require(!over_ || then == action_type::none, "nothing after the end of a race");
    switch (then) {
      case action_type::none: break;
      case action_type::begin:
      case action_type::begin_and_wait:
        waiting_ = then == action_type::begin_and_wait;
        ++begun_;
        ++under_way_;
        break;
      case action_type::take: require(under_way_ != 0, "a connection is taken from an attempt"); [[fallthrough]];
      case action_type::give_up:
        over_ = true;
        under_way_ = 0;
        waiting_ = false;
        break;
    }
    require(begun_ <= addresses_, "each address is tried once");
    require(begun_ == machine_.begun() && under_way_ == machine_.under_way(), "the machine counts as it was told");
    require(pacing_ == machine::pacing::staggered || (under_way_ <= 1 && !waiting_), "one at a time where that was asked for");
    require(!waiting_ || begun_ < addresses_, "there is a wait only where something is left to try");
  }

  machine machine_;
  machine::pacing pacing_;
  std::size_t addresses_ = 0;
  std::size_t begun_ = 0;
  std::size_t under_way_ = 0;
  bool waiting_ = false;
  bool over_ = false;
};

// A transceiver on a two-wire bus, followed with nothing but the actions.
class bus_walk {
 public:
  void step(std::uint8_t byte) { feed(byte & 3U); }

  // All output leaves and the times run out: the bus is free.
  void end() {
    feed(1);
    feed(2);
    feed(3);
    require(!drives_ && machine_.current() == machine::state::receiving, "the bus can always be left to others");
  }

 private:
  using machine = serial::bus_turn_machine;
  using action_type = machine::action;

  void feed(unsigned event) {
    switch (event) {
      case 0: wants_ = !machine_.may_send(); return perform(machine_.output_wanted());
      case 1: return perform(machine_.switched());
      case 2: return perform(machine_.output_gone());
      default: return perform(machine_.waited());
    }
  }

  void perform(action_type then) {
    switch (then) {
      case action_type::none: break;
      case action_type::switch_to_send:
        require(wants_ && !drives_, "the bus is taken once, and for output");
        drives_ = true;
        break;
      case action_type::send:
        require(drives_, "nothing is sent with the transceiver at receiving");
        leaving_ = false;
        wants_ = false;
        break;
      case action_type::wait_behind_output:
        require(drives_ && !leaving_, "the time behind the output begins once");
        leaving_ = true;
        break;
      case action_type::switch_to_receive:
        require(drives_ && leaving_, "the bus is left when the output has, and the time behind it");
        drives_ = leaving_ = false;
        break;
    }
    require(!machine_.may_send() || (drives_ && !leaving_), "output goes only between the switch and its own end");
    require(!wants_ || drives_, "who wants to send gets the bus");
  }

  machine machine_;
  bool wants_ = false;
  bool drives_ = false;
  bool leaving_ = false;
};

// A connection with every deadline, looked at when the watch asks for it. Knows to the millisecond when something happened last, so that it can
// tell what is early and what is late.
class deadline_walk {
 public:
  using watch = detail::deadline_watch;
  using milliseconds = std::chrono::milliseconds;

  deadline_walk() {
    options_.first_byte_timeout = milliseconds(40);
    options_.idle_timeout = milliseconds(80);
    options_.write_stall_timeout = milliseconds(64);
    options_.lifetime = milliseconds(500);
    options_.close_timeout = milliseconds(50);
    look();
  }

  // The clock goes on by the low bits; what happens then is in the two above.
  void step(std::uint8_t byte) {
    const time_point target = now_ + milliseconds(byte & 0x3fU);
    while (!over_ && next_ <= target) {
      now_ = next_;
      look();
    }
    now_ = target;
    switch (byte >> 6U) {
      case 0: break;
      case 1:
        ++seen_.receives;
        active_ = now_;
        break;
      case 2:
        ++seen_.bytes_sent;
        active_ = moved_ = now_;
        break;
      case 3:  // a queue becomes empty by what is sent of it
        if (seen_.output_queued) {
          ++seen_.bytes_sent;
          active_ = now_;
        }
        seen_.output_queued = !seen_.output_queued;
        moved_ = now_;
        break;
    }
  }

 private:
  static constexpr time_point begin{};

  void look() {
    const watch::verdict said = watch_.look(now_, options_, seen_);
    const duration age = now_ - begin;
    const duration silence = now_ - active_;
    const duration stuck = seen_.output_queued ? now_ - moved_ : duration::zero();
    over_ = said != watch::verdict::fine && said != watch::verdict::ask_to_end;
    switch (said) {
      case watch::verdict::fine:
      case watch::verdict::ask_to_end:
        require(silence < milliseconds(91), "silence is found at most an eighth late");
        require(stuck < milliseconds(73), "stuck output is found at most an eighth late");
        require(seen_.receives > 0 || age < milliseconds(40), "a missing first byte is found in time");
        require(age < milliseconds(550), "a lifetime ends");
        require(said == watch::verdict::fine || age >= milliseconds(500), "nobody is asked to end early");
        break;
      case watch::verdict::no_first_byte:
        require(seen_.receives == 0 && age >= milliseconds(40), "the first byte is not missed early");
        break;
      case watch::verdict::idle: require(silence >= milliseconds(80), "silence is not found early"); break;
      case watch::verdict::write_stalled: require(stuck >= milliseconds(64), "output is not found stuck early"); break;
      case watch::verdict::lifetime_over: require(age >= milliseconds(550), "a lifetime does not end early"); break;
    }
    next_ = watch_.next(now_, options_);
    require(over_ || next_ > now_, "the watch does not ask to look twice at one time");
  }

  stream_options options_;
  watch watch_{begin};
  watch::activity seen_;
  time_point now_{};
  time_point next_{};
  time_point active_{};
  time_point moved_{};
  bool over_ = false;
};

void check_closed_is_silent(std::span<const std::uint8_t> input) {
  flow_control_machine machine;
  machine.closed();
  for (const std::uint8_t byte : input) {
    if (byte == 0xfe) machine.replaced();
    require(machine.evaluate(byte, {.low = 2, .high = 8}) == flow_control_machine::action::none, "closed flow control says nothing");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size);
  connection_walk connection;
  flow_walk flow;
  deadline_walk deadlines;
  bus_walk bus;
  race_walk staggered(happy_eyeballs_machine::pacing::staggered);
  race_walk sequential(happy_eyeballs_machine::pacing::sequential);
  for (const std::uint8_t byte : input) {
    connection.step(byte);
    flow.step(byte);
    deadlines.step(byte);
    bus.step(byte);
    staggered.step(byte);
    sequential.step(byte);
  }
  connection.end();
  bus.end();
  staggered.end();
  sequential.end();
  check_closed_is_silent(input);
  return 0;
}
