#include "conformance_trial.hpp"

#include <algorithm>
#include <stdexcept>

// F: flow control of writing.

namespace sluice::testing {
namespace {

constexpr conformance_case mark_cases[] = {
    {"F1 the marks are 16 and 64 KiB at first",
     [](trial& t) {
       t.connect();
       t.check_size(t.near_end().get_write_buffer_limits().low, 16 * 1024, "low mark");
       t.check_size(t.near_end().get_write_buffer_limits().high, 64 * 1024, "high mark");
     }},
    {"F2 an unset mark follows from the other, and a low mark above the high one is refused and changes nothing",
     [](trial& t) {
       t.connect();
       transport& end = t.near_end();
       end.set_write_buffer_limits({.high = 1000, .low = {}});
       t.check(end.get_write_buffer_limits() == watermarks{.low = 250, .high = 1000}, "only high: low should be a quarter");
       end.set_write_buffer_limits({.high = {}, .low = 100});
       t.check(end.get_write_buffer_limits() == watermarks{.low = 100, .high = 400}, "only low: high should be four times");
       t.check(end.set_write_buffer_limits({.high = 10, .low = 11}) == errc::misuse, "low above high should be misuse");
       t.expect_report(error_source::misuse, "low is above high");
       t.check(end.get_write_buffer_limits() == watermarks{.low = 100, .high = 400}, "the old marks should stand");
       end.set_write_buffer_limits({});
       t.check(end.get_write_buffer_limits() == watermarks{}, "neither: the defaults");
     }},
    {"F3 a high mark of 0 makes the low one 0: any queue pauses, and only an empty one resumes",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().set_write_buffer_limits({.high = 0, .low = {}});
       t.check(t.near_end().get_write_buffer_limits() == watermarks{.low = 0, .high = 0}, "both marks should be 0");
       t.check_trace(t.near, "made, pause");
       std::size_t at_resume = 1;
       t.near.on_resume = [&] { at_resume = t.near_end().get_write_buffer_size(); };
       t.drain();
       t.wait_event(t.near, "resume");
       t.check_size(at_resume, 0, "queued when writing was resumed");
       t.check_trace(t.near, "made, pause, resume");
     }},
    {"F4 the pause comes strictly above the high mark",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       t.set_marks(0, queued);
       t.check_trace(t.near, "made");
       t.set_marks(0, queued + 5);
       t.write_pattern(5);
       t.check_trace(t.near, "made");
       t.write_pattern(1);
       t.check_trace(t.near, "made, pause");
     }},
    {"F4 the resume comes at the low mark or below",
     [](trial& t) {
       t.connect();
       const std::size_t low = t.fill() - 40'000;
       std::size_t at_resume = 0;
       t.near.on_resume = [&] { at_resume = t.near_end().get_write_buffer_size(); };
       t.set_marks(low, low + 1);
       t.check_trace(t.near, "made, pause");
       t.drain();
       t.wait_event(t.near, "resume");
       t.check(at_resume <= low, "resumed with " + std::to_string(at_resume) + " bytes queued, above the low mark");
       t.check_trace(t.near, "made, pause, resume");
     }},
    {"F4 marks of 0 do not pause an empty transport",
     [](trial& t) {
       t.connect();
       t.set_marks(0, 0);
       t.write_pattern(100);
       t.drain();
       t.settle();
       t.check_trace(t.near, "made");
     }},
    {"F5 pause and resume alternate, however far the queue grows",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(1000, 2000);
       for (int i = 0; i < 100; ++i) t.write_pattern(2000);
       t.settle();
       t.check_size(t.near.count("pause"), 1, "pauses");
       for (int i = 0; i < 5; ++i) {
         t.drain();
         t.wait("the resume", [&t] { return t.near.count("resume") == t.near.count("pause"); });
         t.fill();
         t.set_marks(1000, 2000);
       }
       t.check_size(t.near.count("pause"), 6, "pauses");
     }},
};

constexpr conformance_case moment_cases[] = {
    {"F6 outside of a turn pause_writing is called inside the write that passed the mark",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       t.set_marks(0, queued);
       bool inside = false;
       bool came_inside = false;
       t.near.on_pause = [&] {
         came_inside = inside;
         return backpressure::handled;
       };
       inside = true;
       t.write_pattern(1);
       inside = false;
       t.check(came_inside, "pause_writing was not called inside the write");
     }},
    {"F6 a write that the medium takes whole never pauses",
     [](trial& t) {
       t.connect();
       t.set_marks(0, 0);
       for (int i = 0; i < 20; ++i) {
         t.write_pattern(500);
         t.in_turn([&t] { t.write_pattern(500); });
         t.wait_received(t.far, t.accepted());
       }
       t.check_trace(t.near, "made");
     }},
    {"F7 new marks take effect inside the call, in both directions",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       t.set_marks(0, queued - 1);
       t.check_trace(t.near, "made, pause");
       t.set_marks(queued - 1, queued);
       t.check_trace(t.near, "made, pause");
       t.set_marks(queued, queued);
       t.check_trace(t.near, "made, pause, resume");
       t.set_marks(0, 0);
       t.check_trace(t.near, "made, pause, resume, pause");
       stream_options settings = t.near_end().options();
       settings.write_buffer = {.low = queued, .high = queued};
       t.check(!t.near_end().set_options(settings), "set_options failed");
       t.check_trace(t.near, "made, pause, resume, pause, resume");
     }},
    {"F8 resume_writing never comes once close was called, also when the queue drains",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.near_end().close();
       t.set_marks(1'000'000'000, 2'000'000'000);
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, pause, lost");
     }},
    {"F8 resume_writing never comes once abort was called",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.near_end().abort();
       t.set_marks(1'000'000'000, 2'000'000'000);
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, pause, lost sluice:1");
     }},
    {"F8 resume_writing never comes once the connection has failed",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_resume = [&t] { t.check(!t.near_end().is_closing(), "resume_writing came on a closing transport"); };
       t.set_marks(0, 0);
       t.far_end().reset();
       t.wait_lost(t.near);
     }},
};

constexpr conformance_case wake_up_cases[] = {
    {"F9 a queue that stops exactly at the low mark is resumed",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       t.set_marks(0, 0);
       t.set_marks(queued, queued);
       t.check_trace(t.near, "made, pause, resume");
     }},
    {"F9 a queue that drains by small steps is resumed",
     [](trial& t) {
       t.connect();
       t.near.on_pause = [] { return backpressure::handled; };
       t.fill();
       t.set_marks(0, 0);
       t.far.on_data = [&](const_bytes) {
         t.far_end().pause_reading();
         t.scheduler().call_soon([&t] {
           if (t.far.connection() != nullptr) t.far_end().resume_reading();
         });
       };
       t.drain();
       t.wait_event(t.near, "resume");
     }},
    {"F9 a protocol that took over while writing was paused is resumed",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       recording_protocol& next = t.another();
       t.near_end().set_protocol(borrow(next));
       t.forgive(t.near);
       t.wait_event(next, "pause");
       t.far_end().resume_reading();
       t.wait_event(next, "resume");
       t.check_trace(next, "made, pause, resume");
       t.check_trace(t.near, "made, pause");
     }},
};

constexpr conformance_case size_cases[] = {
    {"F10 get_write_buffer_size is what was accepted and not taken, to the byte",
     [](trial& t) {
       t.connect();
       const auto check_now = [&t] {
         t.check_size(t.near_end().get_write_buffer_size() + t.near_end().counters().bytes_sent, t.accepted(), "queued and taken bytes");
       };
       t.write_pattern(1000);
       check_now();
       t.fill();
       check_now();
       t.write_pattern(77);
       check_now();
       t.in_turn([&] {
         t.write_pattern(55);
         check_now();
       });
       t.far_end().resume_reading();
       t.settle();
       check_now();
       t.drain();
       check_now();
     }},
    {"F10 bytes of this turn are counted before they are tried",
     [](trial& t) {
       t.connect();
       std::size_t before = 0;
       std::size_t after = 1;
       t.in_turn([&] {
         t.write_pattern(300);
         t.write_pattern(45);
         before = t.near_end().get_write_buffer_size();
         t.near_end().flush();
         after = t.near_end().get_write_buffer_size();
       });
       t.check_size(before, 345, "size before the flush");
       t.check_size(after, 0, "size after the flush");
       t.drain();
     }},
    {"F10 get_write_buffer_size is 0 inside connection_lost",
     [](trial& t) {
       t.connect();
       t.fill();
       std::size_t inside = 1;
       t.near.on_lost = [&](std::error_code) { inside = t.near_end().get_write_buffer_size(); };
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check_size(inside, 0, "get_write_buffer_size");
     }},
    {"F11 get_write_buffer_limits returns what was set",
     [](trial& t) {
       t.connect();
       t.set_marks(123, 4567);
       t.check(t.near_end().get_write_buffer_limits() == watermarks{.low = 123, .high = 4567}, "the marks differ from what was set");
       t.check(t.near_end().options().write_buffer == watermarks{.low = 123, .high = 4567}, "options() differ from what was set");
     }},
    {"F12 what is added to the queue is taken off it again, to the byte",
     [](trial& t) {
       t.connect();
       t.fill();
       for (std::size_t n = 0; n < 300; ++n) t.write_pattern(n);
       t.drain();
       t.wait("an empty queue", [&t] { return t.near_end().get_write_buffer_size() == 0; });
       t.check_size(t.near_end().counters().bytes_sent, t.accepted(), "bytes taken");
     }},
};

void set_limit(trial& t, std::size_t most) {
  stream_options settings = t.near_end().options();
  settings.max_write_buffer = most;
  t.check(!t.near_end().set_options(settings), "set_options failed");
}

constexpr conformance_case limit_cases[] = {
    {"F13 a queue above max_write_buffer aborts the connection with errc::buffer_limit",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       set_limit(t, queued + 1000);
       t.check(t.write_pattern(1000) != write_status::dropped, "a write up to the limit should be taken");
       t.check(t.write_pattern(1) == write_status::dropped, "a write above the limit should be dropped");
       t.check(t.near_end().is_closing(), "is_closing should be true");
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::buffer_limit);
     }},
    {"F13 a limit that is not reached changes nothing",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       set_limit(t, queued + 1000);
       t.write_pattern(1000);
       t.drain();
     }},
    {"F14 an exception of pause_writing is reported and swallowed, and the resume still comes",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_pause = []() -> backpressure { throw std::runtime_error("cannot pause"); };
       t.set_marks(0, 0);
       t.expect_report(error_source::callback, "cannot pause");
       t.check(!t.near_end().is_closing(), "the connection should go on");
       t.drain();
       t.wait_event(t.near, "resume");
       t.check_trace(t.near, "made, pause, resume");
     }},
    {"F14 an exception of resume_writing is reported and swallowed, and flow control goes on",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_resume = [] { throw std::runtime_error("cannot resume"); };
       t.set_marks(0, 0);
       t.drain();
       t.wait_event(t.near, "resume");
       t.expect_report(error_source::callback, "cannot resume");
       t.fill();
       t.set_marks(0, 0);
       t.check_trace(t.near, "made, pause, resume, pause");
     }},
    {"F15 a protocol that takes over above the high mark is told to pause right after its connection_made",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       recording_protocol& next = t.another();
       next.on_made = [&t, &next](transport&) { t.check(next.count("pause") == 0, "pause_writing came inside connection_made"); };
       t.in_turn([&] {
         t.near_end().set_protocol(borrow(next));
         t.forgive(t.near);
       });
       t.wait_event(next, "made");
       t.check_trace(next, "made, pause");
     }},
    {"F15 a protocol that takes over a pause and handles it itself is not held by the answer of the one before",
     [](trial& t) {
       t.connect();
       t.near.on_pause = [] { return backpressure::hold_reading; };
       t.fill();
       t.set_marks(0, 0);
       t.require(t.near.count("pause") == 1, "writing should be paused");
       recording_protocol& next = t.another();
       next.on_pause = [] { return backpressure::handled; };
       t.forgive(t.near);
       t.near_end().set_protocol(borrow(next));
       t.wait_event(next, "pause");
       t.far_end().write("goes on");
       t.wait_received(next, 7);
     }},
    {"F15 a protocol that takes over below the mark is not told to pause",
     [](trial& t) {
       t.connect();
       recording_protocol& next = t.another();
       t.near_end().set_protocol(borrow(next));
       t.forgive(t.near);
       t.wait_event(next, "made");
       t.settle();
       t.check_trace(next, "made");
     }},
};

std::uint64_t bytes_sent_by_all(trial& t) {
  std::uint64_t sum = 0;
  t.scheduler().for_each_transport([&sum](const transport& each) { sum += each.counters().bytes_sent; });
  return sum;
}

constexpr conformance_case turn_cases[] = {
    {"F16 what is written in a turn leaves when it ends, in one send",
     [](trial& t) {
       t.connect();
       const std::uint64_t before = t.near_end().counters().sends;
       std::uint64_t inside = 0;
       t.in_turn([&] {
         for (int i = 0; i < 10; ++i) t.write_pattern(100);
         inside = t.near_end().counters().sends;
       });
       t.check_size(inside - before, 0, "sends inside the turn");
       t.check_size(t.near_end().counters().sends - before, 1, "sends of the turn");
       t.drain();
     }},
    {"F16 answers to one load of data leave in one send",
     [](trial& t) {
       t.connect();
       std::uint64_t before = 0;
       t.near.on_data = [&](const_bytes) {
         before = t.near_end().counters().sends;
         for (int i = 0; i < 10; ++i) t.write_pattern(10);
         t.check_size(t.near_end().counters().sends - before, 0, "sends inside data_received");
       };
       t.far_end().write("?");
       t.wait_received(t.far, 100);
       t.check_size(t.near_end().counters().sends - before, 1, "sends of the turn");
     }},
    {"F16 outside of a turn each write is tried at once, and a cork makes a turn",
     [](trial& t) {
       t.connect();
       const std::uint64_t before = t.near_end().counters().sends;
       t.write_pattern(10);
       t.write_pattern(10);
       t.check_size(t.near_end().counters().sends - before, 2, "sends of two writes");
       {
         const auto turn = t.scheduler().cork();
         for (int i = 0; i < 5; ++i) t.write_pattern(10);
         t.check_size(t.near_end().counters().sends - before, 2, "sends while corked");
       }
       t.check_size(t.near_end().counters().sends - before, 3, "sends after the cork");
       t.drain();
     }},
    {"F16 what passes the cork's limit leaves inside the write, with what was corked before it",
     [](trial& t) {
       t.connect();
       const std::uint64_t before = t.near_end().counters().sends;
       t.in_turn([&] {
         t.write_pattern(10);
         t.check_size(t.near_end().counters().sends - before, 0, "sends before the large write");
         t.write_pattern(20'000);
         t.check(t.near_end().counters().sends != before, "the large write should be tried at once");
       });
       t.drain();
     }},
    {"F16 flush sends at once what a turn wrote, through all layers below",
     [](trial& t) {
       t.connect();
       t.settle();
       std::uint64_t sent_inside = 0;
       t.in_turn([&] {
         t.write_pattern(100);
         t.near_end().flush();
         sent_inside = bytes_sent_by_all(t);
       });
       t.wait_received(t.far, 100);
       t.check_size(sent_inside, bytes_sent_by_all(t), "bytes that all transports and layers had sent when flush returned");
     }},
    {"F16 what a replaced protocol writes in its destructor leaves with the turn that destroys it",
     [](trial& t) {
       mortal::fate& old = t.fate();
       recording_protocol& next = t.another();
       t.begin_connection(std::make_unique<mortal>(old));
       t.wait("connection_made", [&] { return old.made && t.far.count("made") != 0; });
       old.on_destroyed = [&next] { next.connection()->write("last words"); };
       old.connection->set_protocol(borrow(next));
       t.wait("the old protocol's end", [&old] { return old.destroyed; });
       t.check_size(next.connection()->get_write_buffer_size(), 0, "bytes that the turn left behind");
       t.wait_received(t.far, 10);
     }},
    {"F16 a pause for what a turn wrote comes when it ends, not inside the write",
     [](trial& t) {
       t.connect();
       t.fill();
       t.drain();
       t.far_end().pause_reading();
       t.set_marks(0, 0);
       bool writing = false;
       bool came_inside = false;
       t.near.on_pause = [&] {
         came_inside = came_inside || writing;
         return backpressure::handled;
       };
       for (int i = 0; i < 100'000 && t.near.count("pause") == 0; ++i) {
         const auto turn = t.scheduler().cork();
         writing = true;
         t.write_pattern(8000);
         writing = false;
       }
       t.check(t.near.count("pause") == 1 && !came_inside, "pause_writing came inside a write that was not tried");
     }},
};

constexpr conformance_case pressure_cases[] = {
    {"F17 a protocol that answers what it reads is bounded against a peer that never reads",
     [](trial& t) {
       t.near.on_data = [&](const_bytes data) { t.near_end().write(data); };
       t.connect();
       t.far_end().pause_reading();
       t.far.on_pause = [] { return backpressure::handled; };
       const std::string block = pattern(64 * 1024);
       std::size_t most = 0;
       for (int i = 0; i < 2000 && t.far_end().get_write_buffer_size() < 4'000'000; ++i) {
         t.far_end().write(block);
         t.settle();
         most = std::max(most, t.near_end().get_write_buffer_size());
       }
       t.wait_event(t.near, "pause");  // a slow medium has not brought enough by now
       t.settle();
       most = std::max(most, t.near_end().get_write_buffer_size());
       t.check_size(t.near.count("pause"), 1, "pauses");
       t.check(most <= 64 * 1024 + 256 * 1024, std::to_string(most) + " bytes were queued for a peer that never reads");
       const std::size_t before = t.near.received().size();
       t.settle();
       t.check_size(t.near.received().size(), before, "bytes delivered while writing is paused");
       t.far_end().resume_reading();
       t.wait_event(t.near, "resume");
     }},
    {"F17 a protocol that handles the pause itself goes on reading",
     [](trial& t) {
       t.near.on_pause = [] { return backpressure::handled; };
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.check_trace(t.near, "made, pause");
       t.far_end().write("hello");
       t.wait_received(t.near, 5);
       t.check_trace(t.near, "made, pause, data 5");
     }},
};

}  // namespace

void add_flow_control_cases(case_list& cases) {
  cases.add(mark_cases);
  cases.add(moment_cases);
  cases.add(wake_up_cases);
  cases.add(size_cases);
  cases.add(limit_cases);
  cases.add(turn_cases);
  cases.add(pressure_cases);
}

}  // namespace sluice::testing
