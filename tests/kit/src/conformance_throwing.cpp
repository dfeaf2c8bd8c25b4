#include "conformance_trial.hpp"

#include <stdexcept>

// X: exceptions of callbacks, and what the reason of connection_lost means.

namespace sluice::testing {
namespace {

void throw_now(const char* what) { throw std::runtime_error(what); }

// The near end ends because a callback threw; the far end's `prompt` makes it do so.
void check_thrown_end(trial& t, const recorder& end, const std::function<void()>& prompt, std::string_view callback) {
  prompt();
  t.wait_lost(end);
  t.check_reason(end, errc::protocol_threw);
  t.expect_report(error_source::callback, std::string(callback) + ": thrown by " + std::string(callback));
  t.settle();
}

constexpr conformance_case input_cases[] = {
    {"X1 an exception of data_received is reported and ends the connection, and the turn's output is dropped",
     [](trial& t) {
       t.connect();
       t.near.on_data = [&](const_bytes) {
         t.near_end().write("never seen");
         throw_now("thrown by data_received");
       };
       check_thrown_end(
           t, t.near, [&t] { t.far_end().write("x"); }, "data_received");
       t.check_trace(t.near, "made, data 1, lost sluice:3");
       t.wait_lost(t.far);
       t.check(t.far.received().empty(), "output of the turn that threw arrived: " + t.far.received());
     }},
    {"X1 an exception of data_received drops what was queued before",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_data = [](const_bytes) { throw_now("thrown by data_received"); };
       std::size_t left = 1;
       t.near.on_lost = [&](std::error_code) { left = t.near_end().get_write_buffer_size(); };
       check_thrown_end(
           t, t.near, [&t] { t.far_end().write("x"); }, "data_received");
       t.check_size(left, 0, "get_write_buffer_size");
     }},
    {"X1 an exception of eof_received is reported and ends the connection",
     [](trial& t) {
       t.connect();
       t.near.on_eof = []() -> eof { throw std::runtime_error("thrown by eof_received"); };
       check_thrown_end(
           t, t.near, [&t] { t.far_end().close(); }, "eof_received");
       t.check_trace(t.near, "made, eof, lost sluice:3");
     }},
    {"X1 an exception of get_buffer is reported as it is and ends the connection",
     [](trial& t) {
       t.buffered_near.on_get_buffer = [](std::size_t) -> mutable_bytes { throw std::runtime_error("thrown by get_buffer"); };
       t.connect_buffered();
       check_thrown_end(
           t, t.buffered_near, [&t] { t.far_end().write("x"); }, "get_buffer");
       t.check_trace(t.buffered_near, "made, lost sluice:3");
     }},
    {"X1 an exception of buffer_updated is reported and ends the connection",
     [](trial& t) {
       t.connect_buffered();
       t.buffered_near.on_data = [](const_bytes) { throw_now("thrown by buffer_updated"); };
       check_thrown_end(
           t, t.buffered_near, [&t] { t.far_end().write("x"); }, "buffer_updated");
       t.check_trace(t.buffered_near, "made, data 1, lost sluice:3");
     }},
    {"X2 an exception of connection_made is reported and ends the connection",
     [](trial& t) {
       t.near.on_made = [](transport& made) {
         made.write("never seen");
         throw_now("thrown by connection_made");
       };
       check_thrown_end(
           t, t.near, [&t] { t.begin_connection(borrow(t.near)); }, "connection_made");
       t.check_trace(t.near, "made, lost sluice:3");
       t.settle();
       if (t.far.count("made") != 0) t.wait_lost(t.far);  // a layer's handshake may end at one end first
       t.check(t.far.received().empty(), "output of the turn that threw arrived: " + t.far.received());
     }},
    {"X2 connecting reports the exception of connection_made as errc::protocol_threw",
     [](trial& t) {
       t.near.on_made = [](transport&) { throw_now("thrown by connection_made"); };
       t.begin_connection(borrow(t.near));
       t.wait("the completion", [&t] { return t.fixture().completion().has_value(); });
       t.check(t.fixture().completion() == make_error_code(errc::protocol_threw), "connecting should have reported protocol_threw");
       t.wait_lost(t.near);
       t.take_reports();
     }},
    {"X2 an exception of the connection_made of a protocol that takes over ends the connection",
     [](trial& t) {
       t.connect();
       recording_protocol& next = t.another();
       next.on_made = [](transport&) { throw_now("thrown by connection_made"); };
       t.forgive(t.near);
       check_thrown_end(
           t, next, [&] { t.near_end().set_protocol(borrow(next)); }, "connection_made");
       t.check_trace(next, "made, lost sluice:3");
       t.check_trace(t.near, "made");
     }},
};

constexpr conformance_case contained_cases[] = {
    {"X3 exceptions of pause_writing and resume_writing are reported, and the connection goes on",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_pause = []() -> backpressure { throw std::runtime_error("thrown by pause_writing"); };
       t.near.on_resume = [] { throw_now("thrown by resume_writing"); };
       t.set_marks(0, 0);
       t.expect_report(error_source::callback, "pause_writing: thrown by pause_writing");
       t.drain();
       t.wait_event(t.near, "resume");
       t.expect_report(error_source::callback, "resume_writing: thrown by resume_writing");
       t.near.on_pause = nullptr;
       t.near.on_resume = nullptr;
       t.far_end().write("hello");
       t.wait_received(t.near, 5);
       t.check(!t.near_end().is_closing(), "the connection should go on");
     }},
    {"X3 an exception of connection_lost is reported, and everything is given back",
     [](trial& t) {
       t.connect();
       t.near.on_lost = [](std::error_code) { throw_now("thrown by connection_lost"); };
       t.near_end().close();
       t.far_end().close();
       t.wait("the handles", [&t] { return t.scheduler().open_transports() == 0; });
       t.expect_report(error_source::callback, "connection_lost: thrown by connection_lost");
       t.check_trace(t.near, "made, lost");
     }},
    {"X4 an exception of one connection's callback leaves the others alone",
     [](trial& t) {
       t.connect();
       recording_protocol& other = t.another();
       recording_protocol& peer = t.another();
       t.fixture().connect(borrow(other), borrow(peer));
       t.wait("the second connection", [&] { return other.count("made") != 0 && peer.count("made") != 0; });
       t.near.on_data = [](const_bytes) { throw_now("thrown by data_received"); };
       peer.connection()->write("hello");
       check_thrown_end(
           t, t.near, [&t] { t.far_end().write("x"); }, "data_received");
       peer.connection()->write(" again");
       t.wait_received(other, 11);
       t.check_trace(other, "made, data 11");
     }},
    {"X5 this kind of transport is no exception: what is thrown need not be a std::exception",
     [](trial& t) {
       t.connect();
       t.near.on_data = [](const_bytes) { throw 42; };
       t.far_end().write("x");
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::protocol_threw);
       t.expect_report(error_source::callback, "data_received");
     }},
};

constexpr conformance_case reason_cases[] = {
    {"X6 an orderly end has an empty reason, on both ends",
     [](trial& t) {
       t.connect();
       t.write_pattern(1000);
       t.near_end().close();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_reason(t.near, {});
       t.check_reason(t.far, {});
     }},
    {"X6 closing_reason tells what connection_lost will get",
     [](trial& t) {
       t.connect();
       t.check(!t.near_end().closing_reason(), "closing_reason should be empty while the connection is open");
       t.near_end().abort();
       t.check(t.near_end().closing_reason() == errc::aborted, "closing_reason should be errc::aborted");
       std::error_code inside;
       t.near.on_lost = [&](std::error_code) { inside = t.near_end().closing_reason(); };
       t.wait_lost(t.near);
       t.check(inside == errc::aborted, "closing_reason should be errc::aborted inside connection_lost");
     }},
    {"X7 a peer that is gone is no report to the error hook",
     [](trial& t) {  // any report would fail the case
       t.connect();
       t.fill();
       t.far_end().reset();
       t.wait_lost(t.near);
       t.check(bool(t.near.lost_reason()), "the reason should be an error");
     }},
    {"X8 an error hook that throws itself is caught",
     [](trial& t) {
       t.connect();
       int calls = 0;
       t.scheduler().on_error([&calls](const error_event&) {
         ++calls;
         throw std::runtime_error("thrown by the error hook");
       });
       t.near.on_data = [](const_bytes) { throw_now("thrown by data_received"); };
       t.far_end().write("x");
       t.wait_lost(t.near);
       t.scheduler().on_error([](const error_event&) {});
       t.check_size(static_cast<std::size_t>(calls), 1, "calls of the error hook");
       t.check_reason(t.near, errc::protocol_threw);
     }},
    {"X9 no exception of any callback comes out of the scheduler",
     [](trial& t) {
       t.near.on_made = [](transport& made) { made.shut_down(); };
       t.near.on_shutting_down = []() -> shutdown_action { throw std::runtime_error("thrown by shutting_down"); };
       t.near.on_lost = [](std::error_code) { throw 7; };
       t.far.on_eof = []() -> eof { throw 8; };
       t.far.on_lost = [](std::error_code) { throw 9; };
       t.connect();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::protocol_threw);
       t.wait_lost(t.far);
       t.settle();
       t.check(t.take_reports().size() >= 3, "each exception should be reported");
     }},
};

}  // namespace

void add_exception_cases(case_list& cases) {
  cases.add(input_cases);
  cases.add(contained_cases);
  cases.add(reason_cases);
}

}  // namespace sluice::testing
