#include "conformance_trial.hpp"

#include <stdexcept>

#include <sluice/transport_ref.hpp>

// L1–L3, L5–L8, L10–L13: what is called, in which order and how often.

namespace sluice::testing {
namespace {

constexpr conformance_case grammar_cases[] = {
    {"L1 a connection is made, brings data and the end of it, and is lost, in this order and nothing else",
     [](trial& t) {
       t.connect();
       t.near_end().write("hello");
       t.wait_received(t.far, 5);
       t.far_end().write("bonjour");
       t.far_end().close();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.settle();
       t.check_trace(t.near, "made, data 7, eof, lost");
       t.check_trace(t.far, "made, data 5, lost");
     }},
    {"L1 nothing comes after connection_lost, however much the peer still sends",
     [](trial& t) {
       t.connect();
       t.near_end().close();
       for (int i = 0; i < 8 && t.far.connection() != nullptr; ++i) t.far_end().write(pattern(1000));
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost");
     }},
    {"L2 connection_made comes once and before the data that the peer sent at once",
     [](trial& t) {
       t.far.on_made = [](transport& made) { made.write("first words"); };
       t.connect();
       t.wait_received(t.near, 11);
       t.check_trace(t.near, "made, data 11");
     }},
    {"L2 connecting reports success after connection_made has returned",
     [](trial& t) {
       bool was_silent = false;
       t.near.on_made = [&](transport&) { was_silent = !t.fixture().completion(); };
       t.connect();
       t.wait("the completion", [&t] { return t.fixture().completion().has_value(); });
       t.check(was_silent, "the completion came before connection_made had returned");
       t.check(!*t.fixture().completion(), "connecting should have reported success");
     }},
};

// L3: each way to end a connection is one connection_lost.
constexpr conformance_case one_loss_cases[] = {
    {"L3 close() ends in one connection_lost",
     [](trial& t) {
       t.connect();
       t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost");
     }},
    {"L3 abort() ends in one connection_lost",
     [](trial& t) {
       t.connect();
       t.near_end().abort();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
    {"L3 a peer that closes ends in one connection_lost",
     [](trial& t) {
       t.connect();
       t.far_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, eof, lost");
     }},
    {"L3 a peer that aborts ends in one connection_lost",
     [](trial& t) {
       t.connect();
       t.far_end().reset();
       t.wait_lost(t.near);
       t.settle();
       t.check(t.near.count("made") == 1 && t.near.events().back().starts_with("lost"), "unexpected callbacks: " + t.near.trace());
     }},
    {"L3 everything at once, close and abort and reset and a peer that does the same, is one connection_lost",
     [](trial& t) {
       t.connect();
       t.near_end().write("x");
       t.far_end().write("y");
       for (transport* end : {&t.near_end(), &t.far_end()}) {
         end->close();
         end->abort();
         end->close();
         end->reset();
       }
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.settle();
       for (const recorder* end : {&t.near, &t.far})
         t.check(end->events().size() == 2 && end->events().back().starts_with("lost"), "unexpected callbacks: " + end->trace());
     }},
    {"L3 a protocol that was replaced gets no connection_lost",
     [](trial& t) {
       t.connect();
       recording_protocol& next = t.another();
       t.near_end().set_protocol(borrow(next));
       t.forgive(t.near);
       t.wait_event(next, "made");
       next.connection()->close();
       t.wait_lost(next);
       t.settle();
       t.check_trace(t.near, "made");
       t.check_trace(next, "made, lost");
     }},
};

// Calls `end` while nothing of this connection runs, and inside a callback, and looks whether connection_lost came in there.
void check_loss_is_later(trial& t, void (*end)(transport&)) {
  t.connect();
  bool inside = false;
  bool came_inside = false;
  t.near.on_data = [&](const_bytes) {
    inside = true;
    end(t.near_end());
    inside = false;
  };
  t.near.on_lost = [&](std::error_code) { came_inside = inside; };
  t.far_end().write("go");
  t.wait_lost(t.near);
  t.check(!came_inside, "connection_lost was called from inside the call that ended the connection");

  trial* const outer = &t;
  recording_protocol& second = t.another();
  recording_protocol& peer = t.another();
  outer->fixture().connect(borrow(second), borrow(peer));
  t.wait_event(second, "made");
  end(*second.connection());
  t.check(!second.is_lost(), "connection_lost was called from inside the call that ended the connection, outside of any turn");
  t.wait_lost(second);
}

constexpr conformance_case later_cases[] = {
    {"L5 connection_lost is never called from inside close()",
     [](trial& t) { check_loss_is_later(t, [](transport& end) { end.close(); }); }},
    {"L5 connection_lost is never called from inside abort()",
     [](trial& t) { check_loss_is_later(t, [](transport& end) { end.abort(); }); }},
    {"L5 connection_lost is never called from inside reset()",
     [](trial& t) { check_loss_is_later(t, [](transport& end) { end.reset(); }); }},
    {"L5 connection_lost is never called from inside write(), however the write fails",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.break_output("last words");
       t.check(!t.near.is_lost(), "connection_lost was called from inside write()");
       t.wait_lost(t.near);
     }},
    {"L6 a close inside resume_writing is one connection_lost, after it",
     [](trial& t) {
       t.connect();
       t.fill();
       bool inside = false;
       bool came_inside = false;
       t.near.on_resume = [&] {
         inside = true;
         t.near_end().close();
         inside = false;
       };
       t.near.on_lost = [&](std::error_code) { came_inside = inside; };
       t.set_marks(0, 0);
       t.check(t.near.count("pause") == 1, "pause_writing should have been called");
       t.far_end().resume_reading();
       t.wait_lost(t.near);
       t.settle();
       t.check(!came_inside, "connection_lost was called from inside resume_writing");
       t.check_trace(t.near, "made, pause, resume, lost");
     }},
    {"L6 an abort inside pause_writing is one connection_lost, after it",
     [](trial& t) {
       t.connect();
       t.fill();
       bool inside = false;
       bool came_inside = false;
       t.near.on_pause = [&] {
         inside = true;
         t.near_end().abort();
         inside = false;
         return backpressure::handled;
       };
       t.near.on_lost = [&](std::error_code) { came_inside = inside; };
       t.set_marks(0, 0);
       t.wait_lost(t.near);
       t.settle();
       t.check(!came_inside, "connection_lost was called from inside pause_writing");
       t.check_trace(t.near, "made, pause, lost sluice:1");
     }},
    {"L6 a close inside eof_received is one connection_lost, after it",
     [](trial& t) {
       t.connect();
       t.near.on_eof = [&] {
         t.near_end().close();
         return eof::keep_open;
       };
       t.far_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, eof, lost");
     }},
};

constexpr conformance_case eof_count_cases[] = {
    {"L7 eof comes once, also when reading is paused and resumed after it",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       for (int i = 0; i < 3; ++i) {
         t.near_end().pause_reading();
         t.settle();
         t.near_end().resume_reading();
         t.settle();
       }
       t.check_trace(t.near, "made, eof");
     }},
    {"L7 an end that came while reading was paused is one eof",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write("tail");
       t.far_end().close();
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.near_end().pause_reading();
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, data 4, eof, lost");
     }},
};

// Every call there is, on a transport that is over; none may throw or do anything.
void call_everything(trial& t, transport& over) {
  const const_bytes part = as_bytes("x");
  t.check(over.write("x") == write_status::dropped, "write should be dropped");
  t.check(over.writev({&part, 1}) == write_status::dropped, "writev should be dropped");
  over.write_eof();
  over.can_write_eof();
  over.flush();
  over.close();
  over.abort();
  over.reset();
  over.shut_down();
  over.pause_reading();
  over.resume_reading();
  over.set_write_buffer_limits({.high = 0, .low = 0});
  over.get_write_buffer_limits();
  over.set_options(stream_options{});
  t.check(over.is_closing(), "is_closing should be true");
  t.check(!over.is_reading(), "is_reading should be false");
  t.check_size(over.get_write_buffer_size(), 0, "get_write_buffer_size");
  t.check(over.set_protocol(borrow(t.another())) == errc::closed, "set_protocol should say errc::closed");
  over.counters();
  over.id();
}

constexpr conformance_case afterlife_cases[] = {
    {"L8 inside connection_lost every call is legal and does nothing",
     [](trial& t) {
       t.connect();
       t.near.on_lost = [&](std::error_code) { call_everything(t, t.near_end()); };
       t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost");
     }},
    {"L8 inside the connection_lost of an abort with a full queue every call is legal and does nothing",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_lost = [&](std::error_code) { call_everything(t, t.near_end()); };
       t.near_end().abort();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
    {"L8 a transport_ref is empty from the end of connection_lost on, and its calls do nothing",
     [](trial& t) {
       t.connect();
       const transport_ref ref(t.near_end());
       t.check(ref.get() == &t.near_end(), "the reference should lead to the transport");
       t.near_end().close();
       t.wait_lost(t.near);
       t.check(ref.get() == nullptr, "the reference should be empty");
       t.check(ref.write(as_bytes("x")) == write_status::dropped, "its write should be dropped");
       ref.close();
       ref.abort();
       t.settle();
       t.check_trace(t.near, "made, lost");
     }},
    {"L8 a transport_ref stays safe after the transport and its scheduler are destroyed",
     [](trial& t) {
       t.connect();
       const transport_ref ref(t.near_end());
       t.destroy_fixture();
       t.check(ref.get() == nullptr, "the reference should be empty");
       ref.close();
       t.take_reports();  // the leak, see L14
     }},
};

constexpr conformance_case early_end_cases[] = {
    {"L11 a close inside connection_made is one connection_lost, later",
     [](trial& t) {
       t.near.on_made = [&](transport& made) {
         made.close();
         t.check(made.is_closing(), "is_closing should be true");
       };
       t.begin_connection(borrow(t.near));
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.settle();
       t.check_trace(t.near, "made, lost");
       t.check_trace(t.far, "made, eof, lost");
     }},
    {"L11 an abort inside connection_made is one connection_lost, later",
     [](trial& t) {
       t.near.on_made = [](transport& made) { made.abort(); };
       t.begin_connection(borrow(t.near));
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
    {"L11 connecting reports success although connection_made closed the transport",
     [](trial& t) {
       t.near.on_made = [](transport& made) { made.close(); };
       t.begin_connection(borrow(t.near));
       t.wait("the completion", [&t] { return t.fixture().completion().has_value(); });
       t.check(!*t.fixture().completion(), "connecting should have reported success");
       t.wait_lost(t.near);
     }},
    {"L12 after a close inside data_received nothing that was read is delivered",
     [](trial& t) {
       t.connect();
       t.near.on_data = [&](const_bytes) { t.near_end().close(); };
       t.near_end().pause_reading();
       for (int i = 0; i < 40; ++i) t.far_end().write(pattern(4000));
       t.far_end().close();
       t.settle();
       t.near_end().resume_reading();
       t.wait_lost(t.near);
       t.settle();
       t.check(t.near.events().size() == 3, "expected made, one data, lost; got " + t.near.trace());
     }},
    {"L12 data that was held back is not delivered after a close",
     [](trial& t) {
       t.connect();
       t.near.on_data = [&](const_bytes) { t.near_end().pause_reading(); };
       for (int i = 0; i < 40; ++i) t.far_end().write(pattern(4000));
       t.wait("data", [&t] { return !t.near.received().empty(); });
       t.settle();
       const std::size_t before = t.near.received().size();
       t.near_end().resume_reading();
       t.near_end().close();
       t.wait_lost(t.near);
       t.check_size(t.near.received().size(), before, "bytes delivered");
     }},
};

constexpr conformance_case last_data_cases[] = {
    {"L13 everything that the peer sent before it closed is delivered before eof",
     [](trial& t) {
       t.connect();
       const std::string sent = pattern(300'000);
       t.far_end().write(sent);
       t.far_end().close();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, data 300000, eof, lost");
       t.check_pattern(t.near.received(), sent.size());
     }},
    {"L13 data sent before the end of a half-closed peer is delivered, and then the reset behind it",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write("tail");
       t.far_end().write_eof();
       t.far_end().reset();
       t.wait_received(t.near, 4);
       t.near_end().close();
       t.wait_lost(t.near);
       t.check(t.near.trace().starts_with("made, data 4"), "unexpected callbacks: " + t.near.trace());
     }},
    {"L13 data that is there is delivered after a failed write",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.break_output("last words");
       t.wait_lost(t.near);
       t.check(t.near.received() == "last words", "the peer's last words are missing: " + t.near.trace());
     }},
    {"L13 nothing is delivered after the user's own abort",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write("tail");
       t.settle();
       t.near_end().resume_reading();
       t.near_end().abort();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
};

}  // namespace

void add_lifecycle_cases(case_list& cases) {
  cases.add(grammar_cases);
  cases.add(one_loss_cases);
  cases.add(later_cases);
  cases.add(eof_count_cases);
  cases.add(afterlife_cases);
  cases.add(early_end_cases);
  cases.add(last_data_cases);
}

}  // namespace sluice::testing
