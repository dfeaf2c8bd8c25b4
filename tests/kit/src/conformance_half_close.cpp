#include "conformance_trial.hpp"

// E: the ends of input and output.

namespace sluice::testing {
namespace {

constexpr conformance_case eof_answer_cases[] = {
    {"E1 by default the peer's end closes the connection, after what is queued",
     [](trial& t) {
       t.connect();
       t.near.on_data = [&](const_bytes data) { t.near_end().write(data); };
       t.far.on_eof = [] { return eof::keep_open; };
       t.far_end().write("echo");
       t.wait_received(t.near, 4);
       if (t.has().half_close)
         t.far_end().write_eof();
       else
         t.far_end().close();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, data 4, eof, lost");
       if (t.has().half_close) t.check(t.far.received() == "echo", "got " + t.far.received());
     }},
    {"E1 keep_open leaves the connection open for writing, with reading off",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.settle();
       t.check(!t.near_end().is_closing(), "the connection should stay open");
       t.check(!t.near_end().is_reading(), "is_reading should be false");
       t.write_pattern(100'000);
       t.drain();
     }},
    {"E2 after keep_open a close is one orderly connection_lost, behind what was written",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.set_marks(0, 1'000'000);
       t.write_pattern(200'000);
       t.near_end().close();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_trace(t.near, "made, eof, lost");
       t.check_pattern(t.far.received(), 200'000);
     }},
};

constexpr conformance_case write_eof_cases[] = {
    {"E3 write_eof ends the output behind what is queued, and input goes on",
     [](trial& t) {
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.fill();
       t.check(!t.near_end().write_eof(), "write_eof failed");
       t.settle();
       t.check(t.far.count("eof") == 0, "the end came before what is queued");
       t.far_end().resume_reading();
       t.wait_event(t.far, "eof");
       t.check_pattern(t.far.received(), t.accepted());
       t.far_end().write("answer");
       t.wait_received(t.near, 6);
       t.check_trace(t.near, "made, data 6");
       t.check(!t.near_end().is_closing(), "the connection should stay open");
     }},
    {"E3 write_eof in the turn of a write goes behind it",
     [](trial& t) {
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.in_turn([&t] {
         t.write_pattern(100);
         t.near_end().write_eof();
       });
       t.wait_event(t.far, "eof");
       t.check_trace(t.far, "made, data 100, eof");
     }},
    {"E4 a second write_eof does nothing, nor does one after close",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().write_eof();
       t.check(!t.near_end().write_eof(), "a second write_eof is no error");
       t.near_end().close();
       t.check(!t.near_end().write_eof(), "a write_eof after close is no error");
       t.far_end().resume_reading();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_size(t.far.count("eof"), 1, "ends that the peer saw");
       t.check_pattern(t.far.received(), t.accepted());
     }},
    {"E5 can_write_eof is true where the medium has a half-close",
     [](trial& t) {
       t.connect();
       t.check(t.near_end().can_write_eof(), "can_write_eof should be true");
       t.check(!t.near_end().write_eof(), "write_eof failed");
       t.wait_event(t.far, "eof");
     }},
    {"E5 where can_write_eof is false, write_eof says not_supported and changes nothing",
     [](trial& t) {
       t.connect();
       if (t.near_end().can_write_eof()) return;
       t.check(t.near_end().write_eof() == errc::not_supported, "write_eof should say errc::not_supported");
       t.write_pattern(100);
       t.drain();
       t.check(!t.near_end().is_closing(), "the connection should go on");
     }},
};

constexpr conformance_case both_ends_cases[] = {
    {"E6 our end after the peer's closes the connection by itself",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.near_end().write_eof();
       t.check(t.near_end().is_closing(), "is_closing should be true");
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_trace(t.near, "made, eof, lost");
     }},
    {"E6 the peer's end after ours closes the connection by itself, whatever eof_received answers",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.near_end().write_eof();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_trace(t.near, "made, eof, lost");
       t.check_trace(t.far, "made, eof, lost");
     }},
    {"E6 both ends at once, with full queues, lose no byte",
     [](trial& t) {
       for (recording_protocol* end : {&t.near, &t.far}) end->on_eof = [] { return eof::keep_open; };
       t.connect();
       for (transport* end : {&t.near_end(), &t.far_end()})  // below the marks, else each end would wait for the other to read
         end->set_write_buffer_limits({.high = 1'000'000, .low = {}});
       const std::string sent = pattern(400'000);
       for (transport* end : {&t.near_end(), &t.far_end()}) {
         end->write(sent);
         end->write_eof();
       }
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_trace(t.near, "made, data 400000, eof, lost");
       t.check(t.near.received() == sent && t.far.received() == sent, "a stream is wrong");
     }},
    {"E7 the end is in the stream: behind all that was written, and before nothing that was read",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       const std::string sent = pattern(500'000);
       t.far_end().write(sent);
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.check_trace(t.near, "made, data 500000, eof");
       t.check(t.near.received() == sent, "the stream is wrong");
     }},
};

void write_until_lost(trial& t) {
  for (int tries = 0; tries < 64 && !t.near.is_lost(); ++tries) {
    t.near_end().write("x");
    t.settle();
  }
  t.wait_lost(t.near);
}

constexpr conformance_case vanished_peer_cases[] = {
    {"E8 a peer that vanishes after its end, with our bytes unsent, is an error",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.fill();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.far_end().abort();
       t.wait_lost(t.near);
       t.check(bool(t.near.lost_reason()), "unsent bytes were lost without an error");
     }},
    {"E9 a reset behind the peer's end is reported while we still write",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.far_end().reset();
       t.wait_lost(t.far);
       write_until_lost(t);
       t.check(bool(t.near.lost_reason()), "a reset should be an error");
       t.check_size(t.near.events().size(), 3, "callbacks");
     }},
    {"E10 an end that has no output left closes at the peer's end, whatever eof_received answers",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.near_end().write_eof();
       t.wait_event(t.far, "eof");
       t.far_end().write("last");
       t.far_end().close();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, data 4, eof, lost");
     }},
    {"E11 a connection that is kept open after the peer's end does not spin",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.check_idle();
       t.check_trace(t.near, "made, eof");
     }},
    {"E11 a connection whose both ends are half closed in the middle of sending does not spin",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.fill();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.check_idle();
       t.drain();
     }},
};

}  // namespace

void add_half_close_cases(case_list& cases) {
  cases.add(eof_answer_cases);
  cases.add(write_eof_cases);
  cases.add(both_ends_cases);
  cases.add(vanished_peer_cases);
}

}  // namespace sluice::testing
