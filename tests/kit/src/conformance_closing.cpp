#include "conformance_trial.hpp"

#include <stdexcept>

// C: close, abort and what is between them and the end.

namespace sluice::testing {
namespace {

using std::chrono::milliseconds;

constexpr conformance_case close_cases[] = {
    {"C1 close sends what is queued and then ends in order, however often it is called",
     [](trial& t) {
       t.connect();
       t.fill();
       for (int i = 0; i < 3; ++i) t.near_end().close();
       t.settle();
       t.check_trace(t.near, "made");
       t.drain();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_trace(t.near, "made, lost");
       t.check_pattern(t.far.received(), t.accepted());
     }},
    {"C1 close stops reading at once",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().close();
       t.far_end().write("too late");
       t.settle();
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost");
     }},
    {"C1 what was written in the turn of a close is sent before it",
     [](trial& t) {
       t.connect();
       t.in_turn([&t] {
         t.write_pattern(1000);
         t.near_end().close();
       });
       t.wait_lost(t.far);
       t.check_pattern(t.far.received(), 1000);
       t.check_trace(t.far, "made, data 1000, eof, lost");
     }},
    {"C3 is_closing is true from close on, for ever",
     [](trial& t) {
       t.connect();
       t.check(!t.near_end().is_closing(), "is_closing should be false at first");
       t.near_end().close();
       t.check(t.near_end().is_closing(), "is_closing should be true after close");
       bool inside = false;
       t.near.on_lost = [&](std::error_code) { inside = t.near_end().is_closing(); };
       t.wait_lost(t.near);
       t.check(inside, "is_closing should be true inside connection_lost");
     }},
    {"C3 is_closing is true from abort on, from an exception on, and from the answer to the peer's end on",
     [](trial& t) {
       t.connect();
       t.near_end().abort();
       t.check(t.near_end().is_closing(), "is_closing should be true after abort");

       recording_protocol& second = t.another();
       recording_protocol& peer = t.another();
       t.fixture().connect(borrow(second), borrow(peer));
       t.wait("the second connection", [&] { return second.count("made") != 0 && peer.count("made") != 0; });
       second.on_eof = [] { return eof::close; };
       bool inside = false;
       second.on_lost = [&](std::error_code) { inside = second.connection()->is_closing(); };
       peer.connection()->close();
       t.wait_lost(second);
       t.check(inside, "is_closing should be true after the peer's end was answered by close");
     }},
};

constexpr conformance_case abort_cases[] = {
    {"C2 abort drops the queue and ends with errc::aborted, however often it is called",
     [](trial& t) {
       t.connect();
       t.fill();
       for (int i = 0; i < 3; ++i) t.near_end().abort();
       t.check_size(t.near_end().get_write_buffer_size(), 0, "get_write_buffer_size");
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
    {"C2 abort after close cuts the sending short",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().close();
       t.settle();
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::aborted);
     }},
    {"C2 close after abort does nothing",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().abort();
       t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
    {"C2 what was written in the turn of an abort is dropped",
     [](trial& t) {
       t.connect();
       t.in_turn([&t] {
         t.near_end().write("never seen");
         t.near_end().abort();
       });
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check(t.far.received().empty(), "bytes of an aborted turn arrived: " + t.far.received());
     }},
    {"C5 abort ends at once, also towards a peer that never reads",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::aborted);
       t.far_end().resume_reading();
       t.wait_lost(t.far);
     }},
    {"C5 reset reaches the peer as an error",
     [](trial& t) {
       t.connect();
       t.near_end().reset();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_reason(t.near, errc::aborted);
       t.check(t.far.lost_reason() == condition::peer_gone, "the peer should see a reset, not " + sluice::describe(t.far.lost_reason()));
       t.check(t.far.count("eof") == 0, "the peer should not see an end");
     }},
    {"C5 reset where the medium has none is an abort",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().reset();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::aborted);
       t.far_end().resume_reading();
       t.wait_lost(t.far);
     }},
};

constexpr conformance_case deadline_cases[] = {
    {"C4 a close that cannot send what is queued ends with errc::timed_out after close_timeout",
     [](trial& t) {
       t.connect();
       t.fill();
       change_options(t.near_end(), [](stream_options& settings) { settings.close_timeout = milliseconds(30); });
       const time_point begin = t.scheduler().now();
       t.near_end().close();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::timed_out);
       t.check(t.scheduler().now() - begin >= milliseconds(25), "the deadline passed too early");
     }},
    {"C4 a close_timeout of 0 waits for ever",
     [](trial& t) {
       t.connect();
       t.fill();
       change_options(t.near_end(), [](stream_options& settings) { settings.close_timeout = milliseconds(0); });
       t.near_end().close();
       t.pass(milliseconds(50));
       t.check_trace(t.near, "made");
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost");
     }},
    {"C4 a close_timeout beyond all bounds is a very long one",
     [](trial& t) {
       t.connect();
       t.fill();
       change_options(t.near_end(), [](stream_options& settings) { settings.close_timeout = milliseconds::max(); });
       t.near_end().close();
       t.pass(milliseconds(20));
       t.check_trace(t.near, "made");
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost");
     }},
    {"C8 a first byte that came before its deadline was set was in time",
     [](trial& t) {
       t.connect();
       t.far_end().write("early");
       t.wait_received(t.near, 5);
       t.check_size(t.near_end().counters().bytes_received, 5, "bytes that the transport counted");
       change_options(t.near_end(), [](stream_options& settings) { settings.first_byte_timeout = milliseconds(1); });
       t.pass(milliseconds(5));
       t.check_trace(t.near, "made, data 5");
     }},
    {"C8 limits beyond all bounds end nothing",
     [](trial& t) {
       t.connect();
       change_options(t.near_end(), [](stream_options& settings) {
         settings.first_byte_timeout = settings.idle_timeout = settings.write_stall_timeout = settings.lifetime = milliseconds::max();
       });
       t.pass(milliseconds(20));
       t.far_end().write("still here");
       t.wait_received(t.near, 10);
       t.check_trace(t.near, "made, data 10");
     }},
    {"C4 a close that sends what is queued in time is orderly",
     [](trial& t) {
       t.connect();
       t.fill();
       change_options(t.near_end(), [](stream_options& settings) { settings.close_timeout = std::chrono::seconds(20); });
       t.near_end().close();
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost");
     }},
    {"C4 an end of the peer's behind our own, with a queue that cannot be sent, has the deadline too",
     [](trial& t) {
       t.connect();
       t.fill();
       change_options(t.near_end(), [](stream_options& settings) { settings.close_timeout = milliseconds(30); });
       t.near_end().write_eof();
       t.far_end().write_eof();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::timed_out);
       t.check_trace(t.near, "made, eof, lost sluice:2");
     }},
};

constexpr conformance_case tail_cases[] = {
    {"C6 connection_lost comes when the last byte was taken",
     [](trial& t) {
       t.connect();
       t.fill();
       std::uint64_t taken = 0;
       t.near.on_lost = [&](std::error_code) { taken = t.near_end().counters().bytes_sent; };
       t.near_end().close();
       t.drain();
       t.wait_lost(t.near);
       t.check_size(taken, t.accepted(), "bytes taken by then");
     }},
    {"C6 unread input does not cost the peer the tail of the output",
     [](trial& t) {
       t.connect();
       change_options(t.near_end(), [](stream_options& settings) { settings.linger = std::chrono::seconds(20); });
       t.near_end().pause_reading();
       t.far_end().write(pattern(500));
       t.settle();
       t.far_end().pause_reading();
       t.write_pattern(500);
       t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.far_end().resume_reading();
       t.wait_lost(t.far);
       t.check_trace(t.far, "made, data 500, eof, lost");
       t.check_trace(t.near, "made, lost");
     }},
    {"C6 input that arrives after the close does not cost the peer the tail of the output",
     [](trial& t) {
       t.connect();
       change_options(t.near_end(), [](stream_options& settings) { settings.linger = std::chrono::seconds(20); });
       t.far_end().pause_reading();
       t.write_pattern(500);
       t.near_end().close();
       t.far_end().write(pattern(500));
       t.wait_lost(t.near);
       t.settle();
       t.far_end().resume_reading();
       t.wait_lost(t.far);
       t.check_trace(t.far, "made, data 500, eof, lost");
       t.check_trace(t.near, "made, lost");
     }},
    {"C6 a linger time beyond all bounds lasts until the peer has ended",
     [](trial& t) {
       t.connect();
       t.far.on_eof = [] { return eof::keep_open; };
       change_options(t.near_end(), [](stream_options& settings) { settings.linger = milliseconds::max(); });
       t.far_end().pause_reading();
       t.near_end().pause_reading();
       t.far_end().write("unread");
       t.settle();
       t.write_pattern(500);
       t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.far_end().resume_reading();
       t.wait_event(t.far, "eof");
       t.check_trace(t.far, "made, data 500, eof");
     }},
    {"C6 the handle is given back when the linger time is over, also towards a peer that stays",
     [](trial& t) {
       t.connect();
       t.far.on_eof = [] { return eof::keep_open; };
       change_options(t.near_end(), [](stream_options& settings) { settings.linger = milliseconds(20); });
       const std::size_t open = t.scheduler().open_transports();
       t.near_end().pause_reading();
       t.far_end().write("unread");
       t.settle();
       t.near_end().close();
       t.wait_lost(t.near);
       t.wait("the handle", [&] { return t.scheduler().open_transports() < open; });
     }},
};

constexpr conformance_case first_reason_cases[] = {
    {"C7 of several fatal errors the first is the reason",
     [](trial& t) {
       t.connect();
       t.near.on_data = [&](const_bytes) {
         t.near_end().abort();
         throw std::runtime_error("thrown after an abort");
       };
       t.far_end().write("x");
       t.wait_lost(t.near);
       t.expect_report(error_source::callback, "thrown after an abort");
       t.check_reason(t.near, errc::aborted);
     }},
    {"C7 an abort after an exception does not change the reason",
     [](trial& t) {
       t.connect();
       t.near.on_data = [](const_bytes) { throw std::runtime_error("thrown first"); };
       t.far_end().write("x");
       t.wait("the report", [&t] { return t.near.connection() == nullptr || t.near_end().is_closing(); });
       if (t.near.connection() != nullptr) t.near_end().abort();
       t.far_end().reset();
       t.wait_lost(t.near);
       t.expect_report(error_source::callback, "thrown first");
       t.check_reason(t.near, errc::protocol_threw);
     }},
};

}  // namespace

void add_closing_cases(case_list& cases) {
  cases.add(close_cases);
  cases.add(abort_cases);
  cases.add(deadline_cases);
  cases.add(tail_cases);
  cases.add(first_reason_cases);
}

}  // namespace sluice::testing
