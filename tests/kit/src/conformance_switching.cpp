#include "conformance_trial.hpp"

// V1–V4, V6: switching protocols.

namespace sluice::testing {
namespace {

// A protocol that takes over from the near one, which hears nothing more.
recording_protocol& successor(trial& t) {
  t.forgive(t.near);
  return t.another();
}

constexpr conformance_case switch_cases[] = {
    {"V1 the next protocol gets connection_made with the same transport and then all later events, the old one nothing",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       const transport* const same = &t.near_end();
       t.check(!t.near_end().set_protocol(borrow(next)), "set_protocol failed");
       t.wait_event(next, "made");
       t.check(next.connection() == same, "the transport should be the same");
       t.far_end().write("hello");
       t.wait_received(next, 5);
       t.far_end().close();
       t.wait_lost(next);
       t.check_trace(next, "made, data 5, eof, lost");
       t.check_trace(t.near, "made");
     }},
    {"V1 the old protocol is destroyed when the turn ends, without connection_lost",
     [](trial& t) {
       mortal::fate& old = t.fate();
       t.begin_connection(std::make_unique<mortal>(old));
       t.wait("connection_made", [&] { return old.made && t.far.count("made") != 0; });
       recording_protocol& next = t.another();
       bool survived_callback = false;
       old.on_data = [&](const_bytes) {
         old.connection->set_protocol(borrow(next));
         survived_callback = !old.destroyed;
       };
       bool survived_made = false;
       next.on_made = [&](transport&) { survived_made = !old.destroyed; };
       t.far_end().write("x");
       t.wait_event(next, "made");
       t.wait("the old protocol's end", [&old] { return old.destroyed; });
       t.check(survived_callback && survived_made, "the old protocol was destroyed inside the turn");
       t.check(!old.lost, "the old protocol got connection_lost");
     }},
    {"V1 the last switch within one callback wins, and an unused protocol is destroyed unseen",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       mortal::fate& unused = t.fate();
       t.near.on_data = [&](const_bytes) {
         t.near_end().set_protocol(std::make_unique<mortal>(unused), as_bytes("unused"));
         t.near_end().set_protocol(borrow(next));
       };
       t.far_end().write("x");
       t.wait_event(next, "made");
       t.settle();
       t.check(unused.destroyed && !unused.made, "the unused protocol should be destroyed unseen");
       t.check_trace(next, "made");
       t.check_size(t.scheduler().memory_in_use(), 0, "bytes of memory still in use");
     }},
    {"V1 a protocol may switch on at once, inside its connection_made",
     [](trial& t) {
       t.connect();
       recording_protocol& second = successor(t);
       recording_protocol& third = successor(t);
       t.forgive(second);
       second.on_made = [&third](transport& made) { made.set_protocol(borrow(third), as_bytes("left over ")); };
       t.near_end().set_protocol(borrow(second));
       t.wait_event(third, "made");
       t.far_end().write("hello");
       t.wait_received(third, 15);
       t.check(third.received() == "left over hello", "got " + third.received());
       t.check_trace(second, "made");
     }},
};

constexpr conformance_case unread_cases[] = {
    {"V2 a switch inside data_received takes effect when it returns, and what was not read comes before later bytes",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       t.near.on_data = [&](const_bytes data) {
         t.near_end().set_protocol(borrow(next), data.subspan(2));
         t.check(next.count("made") == 0, "connection_made was called inside the callback that asked for the switch");
       };
       t.far_end().write("abcdef");
       t.far_end().write("ghi");
       t.wait_received(next, 7);
       t.check(next.received() == "cdefghi", "got " + next.received());
       t.check(next.trace().starts_with("made, data"), "unexpected callbacks: " + next.trace());
     }},
    {"V2 what was not read is held if the next protocol pauses in connection_made, and comes first on resume",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       next.on_made = [](transport& made) { made.pause_reading(); };
       t.near.on_data = [&](const_bytes data) { t.near_end().set_protocol(borrow(next), data.subspan(1)); };
       t.far_end().write("abc");
       t.wait_event(next, "made");
       t.far_end().write("def");
       t.settle();
       t.check_trace(next, "made");
       next.connection()->resume_reading();
       t.wait_received(next, 5);
       t.check(next.received() == "bcdef", "got " + next.received());
     }},
    {"V2 what was not read is copied in the call",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       std::string memory = "left over";
       t.near_end().set_protocol(borrow(next), as_bytes(memory));
       memory.assign(memory.size(), '#');
       t.wait_received(next, 9);
       t.check(next.received() == "left over", "got " + next.received());
     }},
    {"V2 much that was not read, with the end behind it, arrives whole",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       const std::string sent = pattern(200'000);
       t.near.on_data = [&](const_bytes data) { t.near_end().set_protocol(borrow(next), data); };
       t.far_end().write(sent);
       t.far_end().close();
       t.wait_lost(next);
       t.check_trace(next, "made, data 200000, eof, lost");
       t.check(next.received() == sent, "the stream is wrong");
     }},
    {"V3 the user's pause outlasts a switch, also to another kind of protocol",
     [](trial& t) {
       t.connect();
       recording_buffered_protocol& next = t.another_buffered();
       t.forgive(t.near);
       t.near_end().pause_reading();
       t.near_end().set_protocol(borrow(next));
       t.wait_event(next, "made");
       t.check(!next.connection()->is_reading(), "is_reading should still be false");
       t.far_end().write("hello");
       t.settle();
       t.check_trace(next, "made");
       next.connection()->resume_reading();
       t.wait_received(next, 5);
       t.check_trace(next, "made, data 5");
     }},
};

constexpr conformance_case late_switch_cases[] = {
    {"V4 a protocol that takes over from one that closed gets connection_made and connection_lost",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       bool closing = false;
       next.on_made = [&closing](transport& made) { closing = made.is_closing(); };
       t.near_end().close();
       t.check(!t.near_end().set_protocol(borrow(next), as_bytes("dropped")), "set_protocol should be allowed");
       t.wait_lost(next);
       t.check(closing, "is_closing should be true inside connection_made");
       t.wait("the handles", [&t] { return t.scheduler().open_transports() == 0; });
       t.check_size(t.scheduler().memory_in_use(), 0, "bytes of memory still in use");
       t.check_trace(next, "made, lost");
       t.check_trace(t.near, "made");
     }},
    {"V4 a protocol that takes over from one that aborted gets connection_made and connection_lost",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       t.near_end().abort();
       t.near_end().set_protocol(borrow(next));
       t.wait_lost(next);
       t.check_trace(next, "made, lost sluice:1");
       t.check_trace(t.near, "made");
     }},
    {"V4 from connection_lost on a switch says errc::closed, and the protocol is destroyed unseen",
     [](trial& t) {
       t.connect();
       mortal::fate& late = t.fate();
       std::error_code answer;
       t.near.on_lost = [&](std::error_code) { answer = t.near_end().set_protocol(std::make_unique<mortal>(late)); };
       t.near_end().close();
       t.wait_lost(t.near);
       t.check(answer == errc::closed, "set_protocol should say errc::closed");
       t.check(late.destroyed && !late.made, "the protocol should be destroyed unseen");
     }},
    {"V6 outside of a callback a switch takes effect in a later turn",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       t.near_end().set_protocol(borrow(next));
       t.check_trace(next, "");
       t.wait_event(next, "made");
     }},
    {"V6 a switch inside the callback of another transport takes effect after it",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       t.far.on_data = [&](const_bytes) {
         t.near_end().set_protocol(borrow(next));
         t.check(next.count("made") == 0, "connection_made was called inside the callback of another transport");
       };
       t.near_end().write("x");
       t.wait_event(next, "made");
     }},
    {"V6 what is written after the call in the same callback goes out before the next protocol's first byte",
     [](trial& t) {
       t.connect();
       recording_protocol& next = successor(t);
       next.on_made = [](transport& made) { made.write("new"); };
       t.near.on_data = [&](const_bytes) {
         t.near_end().write("old ");
         t.near_end().set_protocol(borrow(next));
         t.near_end().write("still old ");
       };
       t.far_end().write("x");
       t.wait_received(t.far, 17);
       t.check(t.far.received() == "old still old new", "got " + t.far.received());
     }},
};

}  // namespace

void add_switching_cases(case_list& cases) {
  cases.add(switch_cases);
  cases.add(unread_cases);
  cases.add(late_switch_cases);
}

}  // namespace sluice::testing
