#include "datagram_trial.hpp"

#include <stdexcept>

// The queue of what the medium does not take at once: its order, its marks, its limit.

namespace sluice::testing {
namespace {

constexpr std::size_t overhead = datagram_transport::overhead;

constexpr datagram_case cases[] = {
    {"D8 what the medium does not take is queued, and sent in order when it does",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill();
       t.send_numbered(sent, 300);
       t.check(t.near_end().get_write_buffer_size() > 300 * overhead, "the queue should hold them");
       t.far_end().resume_reading();
       t.check_numbered(sent + 300);
       t.check(t.near_end().get_write_buffer_size() == 0, "the queue should be empty");
     }},
    {"D8 large datagrams and empty ones keep their borders in the queue",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill(10'000'000);
       std::vector<std::size_t> sizes;
       for (std::size_t i = 0; i < 40; ++i) sizes.push_back(i % 5 == 0 ? 0 : i * 937);
       for (const std::size_t size : sizes) t.send(pattern(size, size));
       t.far_end().resume_reading();
       t.wait_received(t.far, sent + sizes.size());
       for (std::size_t i = 0; i < sizes.size(); ++i)
         t.check(t.far.received()[sent + i].data == pattern(sizes[i], sizes[i]), "datagram " + std::to_string(i) + " is not what was sent");
     }},
    {"D8 an error of one queued datagram does not stop the rest",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill();
       t.send(pattern(datagram_transport::largest_datagram + 1));
       t.send_numbered(sent, 5);
       t.far_end().resume_reading();
       t.check_numbered(sent + 5);
       t.check(t.near.errors() == 1, "expected one error");
     }},
    {"D9 close sends what is queued first",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill();
       t.send_numbered(sent, 20);
       t.near_end().close();
       t.settle();
       t.check_trace(t.near, "made");
       t.far_end().resume_reading();
       t.wait_lost(t.near);
       t.check_reason(t.near, {});
       t.check_numbered(sent + 20);
     }},
    {"D9 abort drops what is queued",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill();
       t.send_numbered(sent, 20);
       t.near_end().abort();
       t.check(t.near_end().get_write_buffer_size() == 0, "the queue should be empty");
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::aborted);
       t.far_end().resume_reading();
       t.settle();
       t.check(t.far.received().size() < sent, "what was dropped arrived");
     }},
    {"C4 close ends at its deadline if the queue does not drain",
     [](datagram_trial& t) {
       t.open({.near = {.close_timeout = std::chrono::milliseconds(5)}});
       t.fill();
       t.near_end().close();
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::timed_out);
     }},
    {"F4 F5 writing is paused above the high mark, once, and resumed at the low one",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill();
       t.near.on_pause = [] { return backpressure::handled; };
       const std::size_t queued = t.near_end().get_write_buffer_size();
       t.require(!t.near_end().set_write_buffer_limits({.high = queued + 10 * overhead, .low = 0}), "marks");
       std::size_t more = 0;
       for (; t.near.count("pause") == 0 && more < 1000; ++more) t.send_numbered(sent + more, 1);
       t.check(t.near_end().get_write_buffer_size() > queued + 10 * overhead, "paused too early");
       t.check(t.send("datagram number " + std::to_string(sent + more)) == send_status::above_high_mark, "above the mark says so");
       t.check(t.near.count("pause") == 1, "paused twice");
       t.far_end().resume_reading();
       t.wait("resume", [&] { return t.near.count("resume") != 0; });
       t.check_numbered(sent + more + 1);
       t.check_trace(t.near, "made, pause, resume");
     }},
    {"F9 a pause is resumed whatever drains the queue, errors too",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sent = t.fill(0);
       t.check(t.near.count("pause") == 1, "one queued datagram is above a mark of 0");
       t.send(pattern(datagram_transport::largest_datagram + 1));
       t.far_end().resume_reading();
       t.wait("resume", [&] { return t.near.count("resume") == 1; });
       t.check_numbered(sent);
     }},
    {"F7 new marks pause and resume at once",
     [](datagram_trial& t) {
       t.open();
       t.fill();
       t.near_end().set_write_buffer_limits({.high = 0, .low = 0});
       t.check(t.near.count("pause") == 1, "it should have been paused");
       t.near_end().set_write_buffer_limits({.high = 1'000'000, .low = 900'000});
       t.check(t.near.count("resume") == 1, "it should have been resumed");
       t.check(t.near_end().set_write_buffer_limits({.high = 1, .low = 2}) == errc::misuse, "low above high is refused");
       t.expect_report(error_source::misuse, "low is above high");
       t.check((t.near_end().get_write_buffer_limits() == watermarks{900'000, 1'000'000}), "the old marks should stay");
     }},
    {"F8 once closing, a pause is never resumed",
     [](datagram_trial& t) {
       t.open();
       t.fill(0);
       t.near_end().close();
       t.far_end().resume_reading();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, pause, lost");
     }},
    {"F12 empty datagrams count, and what is added is taken away",
     [](datagram_trial& t) {
       t.open();
       t.fill();
       const std::size_t before = t.near_end().get_write_buffer_size();
       for (int i = 0; i < 100; ++i) t.send("");
       t.check(t.near_end().get_write_buffer_size() == before + 100 * overhead, "each empty datagram counts its overhead");
       t.near.on_pause = [] { return backpressure::handled; };
       t.near_end().set_write_buffer_limits({.high = before + 50 * overhead, .low = 0});
       t.check(t.near.count("pause") == 1, "empty datagrams should trip the mark");
       t.far_end().resume_reading();
       t.wait("resume", [&] { return t.near.count("resume") == 1; });
       t.check(t.near_end().get_write_buffer_size() == 0, "what was added should be gone to the byte");
     }},
    {"F10 F12 datagrams of the running turn count until they are sent",
     [](datagram_trial& t) {
       t.open();
       t.in_turn([&] {
         t.send("12345");
         t.send("");
         t.check(t.near_end().get_write_buffer_size() == 5 + 2 * overhead, "both should count");
         t.near_end().flush();
         t.check(t.near_end().counters().sends != 0, "flush should have tried to send them");
       });
       t.wait_received(t.far, 2);
     }},
    {"F13 at the limit the newest is dropped and counted, and what is queued stays",
     [](datagram_trial& t) {
       t.open({.near = {.max_write_buffer = 20'000}});
       std::size_t sent = t.fill();
       while (t.send("datagram number " + std::to_string(sent)) != send_status::dropped && sent < 100'000) ++sent;
       t.check(t.near_end().get_write_buffer_size() <= 20'000, "the limit was passed");
       t.check(t.near_end().counters().dropped == 1, "the drop should be counted");
       t.check(!t.near_end().is_closing(), "the transport should go on");
       t.far_end().resume_reading();
       t.check_numbered(sent);
       t.send_numbered(sent, 1);
       t.check_numbered(sent + 1);
     }},
    {"F13 the limit may also end the transport",
     [](datagram_trial& t) {
       t.open({.near = {.max_write_buffer = 20'000, .when_full = full_queue::abort}});
       t.fill();
       for (int i = 0; i < 100'000 && !t.near_end().is_closing(); ++i) t.send("more");
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::buffer_limit);
     }},
    {"F14 an exception in pause_writing is reported, and reading is held until the low mark all the same",
     [](datagram_trial& t) {
       t.open();
       t.near.on_pause = []() -> backpressure { throw std::runtime_error("thrown by pause_writing"); };
       t.fill(0);
       t.expect_report(error_source::callback, "thrown by pause_writing");
       t.far_end().send_to("kept", t.near_address());
       t.settle();
       t.check(t.near.received().empty(), "it was delivered under pressure");
       t.far_end().resume_reading();
       t.wait_received(t.near, 1);
       t.check(t.near.count("resume") == 1, "resume should have come");
     }},
    {"F17 while its output waits, a protocol that answers gets nothing to answer",
     [](datagram_trial& t) {
       t.open();
       t.fill(0);
       t.check(t.near_end().is_reading(), "is_reading speaks of the user alone");
       t.far_end().send_to("one", t.near_address());
       t.far_end().send_to("two", t.near_address());
       t.check_idle();
       t.check(t.near.received().empty(), "they were delivered under pressure");
       t.far_end().resume_reading();
       t.wait_received(t.near, 2);
     }},
    {"F17 a protocol that handles backpressure goes on reading",
     [](datagram_trial& t) {
       t.near.on_pause = [] { return backpressure::handled; };
       t.open();
       t.fill(0);
       t.far_end().send_to("one", t.near_address());
       t.wait_received(t.near, 1);
     }},
};

}  // namespace

std::span<const datagram_case> datagram_flow_cases() { return cases; }

}  // namespace sluice::testing
