#include "conformance_trial.hpp"

#include <algorithm>

#include <sluice/stream_transport.hpp>

// R: reading, pause and resume.

namespace sluice::testing {
namespace {

constexpr std::size_t much = 160'000;

constexpr conformance_case pause_cases[] = {
    {"R1 pauses are not counted: one resume ends any number of them",
     [](trial& t) {
       t.connect();
       for (int i = 0; i < 3; ++i) t.near_end().pause_reading();
       t.far_end().write("hello");
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_received(t.near, 5);
     }},
    {"R1 resumes are not counted: one pause ends any number of them",
     [](trial& t) {
       t.connect();
       for (int i = 0; i < 3; ++i) t.near_end().resume_reading();
       t.near_end().pause_reading();
       t.far_end().write("hello");
       t.settle();
       t.check_trace(t.near, "made");
       t.check(!t.near_end().is_reading(), "is_reading should be false");
     }},
    {"R2 pause and resume on a closing transport do nothing, silently",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().close();
       t.far_end().write("too late");
       t.near_end().pause_reading();
       t.near_end().resume_reading();
       t.check(!t.near_end().is_reading(), "is_reading should be false");
       t.settle();
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost");
     }},
    {"R2 pause and resume still work after a failed write",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.break_output("last words");
       t.near_end().pause_reading();
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_lost(t.near);
       t.check(t.near.received() == "last words", "the peer's last words are missing: " + t.near.trace());
     }},
    {"R3 a pause inside connection_made is honoured: no byte is delivered",
     [](trial& t) {
       t.near.on_made = [](transport& made) { made.pause_reading(); };
       t.far.on_made = [](transport& made) { made.write("hello"); };
       t.connect();
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_received(t.near, 5);
       t.check_trace(t.near, "made, data 5");
     }},
};

std::size_t data_events(const recorder& end) {
  return static_cast<std::size_t>(std::ranges::count_if(end.events(), [](const std::string& line) { return line.starts_with("data"); }));
}

constexpr conformance_case hold_cases[] = {
    {"R4 after a pause inside data_received no byte and no eof comes, and the rest comes first on resume",
     [](trial& t) {
       t.near.on_data = [&](const_bytes) { t.near_end().pause_reading(); };
       t.connect();
       t.far_end().write(pattern(much));
       t.far_end().close();
       for (std::size_t steps = 0; !t.near.is_lost() && steps < much; ++steps) {
         const std::size_t before = data_events(t.near);
         t.settle();
         t.check(data_events(t.near) <= before + 1, "data came although reading was paused");
         if (t.near.connection() != nullptr) t.near_end().resume_reading();
       }
       t.check_trace(t.near, "made, data 160000, eof, lost");
       t.check_pattern(t.near.received(), much);
     }},
    {"R4 nothing is delivered while reading is paused, and everything in order afterwards",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       for (std::size_t sent = 0; sent < much; sent += 1000) t.far_end().write(pattern(1000, sent));
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_received(t.near, much);
       t.check_pattern(t.near.received(), much);
     }},
    {"R4 an eof that waits behind a pause is delivered after the data that waits",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write("hello");
       t.far_end().close();
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.check_trace(t.near, "made");  // in a later turn
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, data 5, eof, lost");
     }},
    {"R5 a resume inside data_received does not recurse, and nothing is lost or swapped",
     [](trial& t) {
       int depth = 0;
       t.near.on_data = [&](const_bytes) {
         t.check(++depth == 1, "data_received was called from inside data_received");
         t.near_end().pause_reading();
         t.near_end().resume_reading();
         --depth;
       };
       t.connect();
       t.far_end().write(pattern(much));
       t.wait_received(t.near, much);
       t.check_pattern(t.near.received(), much);
     }},
    {"R5 a resume never delivers from inside the call",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write("hello");
       t.settle();
       t.near_end().resume_reading();
       t.check_trace(t.near, "made");
       t.wait_received(t.near, 5);
     }},
};

constexpr conformance_case is_reading_cases[] = {
    {"R6 is_reading follows pause and resume, from connection_made on",
     [](trial& t) {
       bool at_first = false;
       t.near.on_made = [&](transport& made) { at_first = made.is_reading(); };
       t.connect();
       t.check(at_first, "is_reading should be true inside connection_made");
       t.near_end().pause_reading();
       t.check(!t.near_end().is_reading(), "is_reading should be false while paused");
       t.near_end().resume_reading();
       t.check(t.near_end().is_reading(), "is_reading should be true again");
     }},
    {"R6 is_reading is false from close on, also after a resume",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().close();
       t.check(!t.near_end().is_reading(), "is_reading should be false");
       t.near_end().resume_reading();
       t.check(!t.near_end().is_reading(), "is_reading should stay false");
     }},
    {"R6 is_reading is false from the peer's end on",
     [](trial& t) {
       bool inside = true;
       t.near.on_eof = [&] {
         inside = t.near_end().is_reading();
         return eof::keep_open;
       };
       t.connect();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.check(!inside, "is_reading should be false inside eof_received");
       t.check(!t.near_end().is_reading(), "is_reading should be false");
       t.near_end().resume_reading();
       t.check(!t.near_end().is_reading(), "is_reading should stay false");
     }},
    {"R6 is_reading stays true after write_eof",
     [](trial& t) {
       t.connect();
       t.near_end().write_eof();
       t.check(t.near_end().is_reading(), "is_reading should be true");
     }},
};

constexpr conformance_case hangup_cases[] = {
    {"R7 a reset is noticed at once although reading is paused",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.settle();
       t.far_end().reset();
       t.wait_lost(t.near);
       t.check(bool(t.near.lost_reason()), "a reset should be an error");
       t.check_size(t.near.events().size(), 2, "callbacks");
     }},
    {"R7 a reset is noticed at once although our output has ended",
     [](trial& t) {
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.near_end().write_eof();
       t.wait_event(t.far, "eof");
       t.near_end().pause_reading();
       t.far_end().reset();
       t.wait_lost(t.near);
       t.check(bool(t.near.lost_reason()), "a reset should be an error");
       t.check_size(t.near.events().size(), 2, "callbacks");
     }},
    {"R7 an end of the peer's is told at resume, and waiting for it does not spin",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().close();
       t.check_idle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, eof, lost");
     }},
    {"R7 with report_hangup_while_paused the peer's end is told at once although reading is paused, and once",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       change_options(t.near_end(), [](stream_options& settings) { settings.report_hangup_while_paused = true; });
       t.near_end().pause_reading();
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.check_idle();
       t.near_end().resume_reading();
       t.settle();
       t.check_trace(t.near, "made, eof");
     }},
    {"R7 with report_hangup_while_paused an end behind unread data waits for the data",
     [](trial& t) {
       t.connect();
       change_options(t.near_end(), [](stream_options& settings) { settings.report_hangup_while_paused = true; });
       t.near_end().pause_reading();
       t.far_end().write("tail");
       t.far_end().write_eof();
       t.check_idle();
       t.check_trace(t.near, "made");
       t.near_end().resume_reading();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, data 4, eof, lost");
     }},
    {"R7 unread data behind a pause does not spin",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write(pattern(much));
       t.check_idle();
       t.check_trace(t.near, "made");
     }},
};

constexpr conformance_case quiet_cases[] = {
    {"R8 nothing is told where nothing happened",
     [](trial& t) {
       t.connect();
       t.check_idle();
       t.check_trace(t.near, "made");
       t.far_end().write("x");
       t.wait_received(t.near, 1);
       t.check_idle();
       t.check_trace(t.near, "made, data 1");
     }},
    {"R9 data is never empty",
     [](trial& t) {  // each recorder checks it, in every case
       t.connect();
       t.far_end().write("");
       t.far_end().write("a");
       t.far_end().write("");
       t.wait_received(t.near, 1);
       t.settle();
       t.check_trace(t.near, "made, data 1");
     }},
    {"R10 a connection that floods does not starve another one",
     [](trial& t) {
       t.connect();
       recording_protocol& quiet = t.another();
       recording_protocol& peer = t.another();
       t.fixture().connect(borrow(quiet), borrow(peer));
       t.wait("the second connection", [&] { return quiet.count("made") != 0 && peer.count("made") != 0; });
       const std::string flood = pattern(64 * 1024);
       std::size_t sent = 0;
       const auto more = [&] {
         while (t.far.connection() != nullptr && t.far_end().get_write_buffer_size() < flood.size() && sent < 64'000'000) {
           t.far_end().write(flood);
           sent += flood.size();
         }
       };
       t.far.on_resume = more;
       more();
       t.wait_received(t.near, 1);
       peer.connection()->write("me too");
       const std::size_t before = t.near.received().size();
       t.wait_received(quiet, 6);
       t.check(t.near.received().size() - before < 8'000'000,
               "the quiet connection waited behind " + std::to_string(t.near.received().size() - before) + " bytes of the other one");
     }},
    {"R11 resume after the peer's end delivers nothing again",
     [](trial& t) {
       t.near.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write("hello");
       t.far_end().write_eof();
       t.wait_event(t.near, "eof");
       t.near_end().resume_reading();
       t.settle();
       t.check_trace(t.near, "made, data 5, eof");
     }},
    {"R11 resume after close or abort delivers nothing",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write("hello");
       t.settle();
       t.near_end().abort();
       t.near_end().resume_reading();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost sluice:1");
     }},
};

bool has_hold(transport& end, hold which) {
  const auto* engine = dynamic_cast<stream_transport*>(&end);
  return engine != nullptr && (engine->holds() & static_cast<std::uint8_t>(which)) != 0;
}

constexpr conformance_case independent_hold_cases[] = {
    {"R12 the hold of write pressure does not show in is_reading, and a resume of the user's does not lift it",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.check_trace(t.near, "made, pause");
       t.far_end().write("hello");
       t.near_end().pause_reading();
       t.near_end().resume_reading();
       t.settle();
       t.check(t.near_end().is_reading(), "is_reading should speak of the user's hold alone");
       t.check(has_hold(t.near_end(), hold::write_pressure) && !has_hold(t.near_end(), hold::user),
               "holds() should show which hold is set");
       t.check_trace(t.near, "made, pause");
       t.drain();
       t.wait_received(t.near, 5);
       t.check_trace(t.near, "made, pause, resume, data 5");
     }},
    {"R12 a pause of the user's outlasts the hold of write pressure",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.near_end().pause_reading();
       t.far_end().write("hello");
       t.drain();
       t.wait_event(t.near, "resume");
       t.settle();
       t.check_trace(t.near, "made, pause, resume");
       t.check(!has_hold(t.near_end(), hold::write_pressure) && has_hold(t.near_end(), hold::user),
               "holds() should show which hold is set");
       t.near_end().resume_reading();
       t.wait_received(t.near, 5);
     }},
    {"R12 the hold of whoever hands input on and a pause of the user's know nothing of each other",
     [](trial& t) {
       t.connect();
       t.near_end().hold_for_sink(true);
       t.near_end().hold_for_sink(true);
       t.check(t.near_end().is_reading(), "is_reading should speak of the user's hold alone");
       t.near_end().pause_reading();
       t.far_end().write("hello");
       t.near_end().hold_for_sink(false);
       t.settle();
       t.check_trace(t.near, "made");
       t.near_end().hold_for_sink(true);
       t.near_end().resume_reading();
       t.settle();
       t.check_trace(t.near, "made");
       t.check(has_hold(t.near_end(), hold::coupling) && !has_hold(t.near_end(), hold::user), "holds() should show which hold is set");
       t.near_end().hold_for_sink(false);
       t.wait_received(t.near, 5);
     }},
};

}  // namespace

void add_reading_cases(case_list& cases) {
  cases.add(pause_cases);
  cases.add(hold_cases);
  cases.add(is_reading_cases);
  cases.add(hangup_cases);
  cases.add(quiet_cases);
  cases.add(independent_hold_cases);
}

}  // namespace sluice::testing
