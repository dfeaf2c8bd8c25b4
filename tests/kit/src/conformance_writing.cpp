#include "conformance_trial.hpp"

#include <utility>

// W: writing.

namespace sluice::testing {
namespace {

constexpr conformance_case order_cases[] = {
    {"W1 bytes leave in the order of the calls, whatever their sizes and however slow the peer",
     [](trial& t) {
       t.connect();
       t.fill();
       for (std::size_t n = 1; n < 40'000; n = n * 3 + 1) t.write_pattern(n);
       t.in_turn([&t] {
         for (std::size_t n = 1; n < 40'000; n = n * 2 + 1) t.write_pattern(n);
       });
       t.drain();
     }},
    {"W1 outside of a turn a write to an empty queue is tried at once",
     [](trial& t) {
       t.connect();
       t.write_pattern(100);
       t.check_size(t.near_end().get_write_buffer_size(), 0, "get_write_buffer_size");
       t.wait_received(t.far, 100);
     }},
    {"W1 a write that the medium does not take is queued and never waits",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       t.write_pattern(5000);
       t.check_size(t.near_end().get_write_buffer_size(), queued + 5000, "get_write_buffer_size");
       t.drain();
     }},
    {"W2 an empty write does nothing and is accepted",
     [](trial& t) {
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.check_trace(t.near, "made, pause");
       const std::size_t queued = t.near_end().get_write_buffer_size();
       t.near_end().write("");
       t.near_end().writev({});
       t.check_size(t.near_end().get_write_buffer_size(), queued, "get_write_buffer_size");
       t.drain();
       t.wait_event(t.near, "resume");
       t.check(t.near_end().write("") == write_status::accepted, "an empty write should be accepted");
       t.settle();
       t.check_trace(t.near, "made, pause, resume");
     }},
    {"W2 empty parts of a gather write neither stop draining nor closing",
     [](trial& t) {
       t.connect();
       t.fill();
       const std::string text = pattern(6, t.accepted());
       const const_bytes parts[] = {
           {}, as_bytes(std::string_view(text).substr(0, 1)), {}, as_bytes(std::string_view(text).substr(1, 2)), {},
           {}, as_bytes(std::string_view(text).substr(3)),    {}};
       t.near_end().writev(parts);
       t.near_end().close();
       t.far_end().resume_reading();
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check_pattern(t.far.received(), t.accepted() + 6);
     }},
    {"W3 the caller may reuse its memory when the call returns",
     [](trial& t) {
       t.connect();
       std::string memory;
       std::string expected;
       const auto write = [&](char letter, std::size_t n) {
         memory.assign(n, letter);
         expected += memory;
         t.near_end().write(memory);
         memory.assign(n, '#');
       };
       t.far_end().pause_reading();
       t.in_turn([&] { write('a', 50); });
       t.in_turn([&] {
         write('b', 50);
         write('c', 40'000);
         write('d', 50);
       });
       for (int i = 0; i < 200; ++i) write('e', 4000);
       t.far_end().resume_reading();
       t.wait_received(t.far, expected.size());
       t.check(t.far.received() == expected, "bytes changed after the write");
     }},
    {"W3 received bytes may be written on, in parts and in another order",
     [](trial& t) {
       t.connect();
       t.near.on_data = [&](const_bytes data) {
         t.near_end().write(data.subspan(data.size() / 2));
         t.near_end().write("|");
         t.near_end().write(data.first(data.size() / 2));
       };
       t.far_end().write("abcdef");
       t.wait_received(t.far, 7);
       t.check(t.far.received() == "def|abc", "got " + t.far.received());
     }},
};

constexpr conformance_case late_write_cases[] = {
    {"W4 a write after write_eof is dropped and reported once",
     [](trial& t) {
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.near_end().write_eof();
       t.check(t.near_end().write("x") == write_status::dropped, "the write should be dropped");
       t.expect_report(error_source::misuse, "write after write_eof");
       t.check(t.near_end().write("x") == write_status::dropped, "the second write should be dropped");
       t.check(t.take_reports().empty(), "the second write should not be reported");
       t.wait_event(t.far, "eof");
       t.settle();
       t.check(t.far.received().empty(), "a dropped write arrived");
       t.check(!t.near_end().is_closing(), "the connection should go on");
     }},
    {"W5 a write after close is dropped and counted, with an empty queue",
     [](trial& t) {
       t.connect();
       t.near_end().close();
       const std::uint64_t before = t.scheduler().counters().dropped_writes;
       t.check(t.near_end().write("late") == write_status::dropped, "the write should be dropped");
       t.check(t.scheduler().counters().dropped_writes == before + 1, "the write should be counted");
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check(t.far.received().empty(), "a dropped write arrived");
     }},
    {"W5 a write after close is dropped although earlier ones are still being sent",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().close();
       t.check(t.near_end().write("late") == write_status::dropped, "the write should be dropped");
       const const_bytes part = as_bytes("later");
       t.check(t.near_end().writev({&part, 1}) == write_status::dropped, "the gather write should be dropped");
       t.far_end().resume_reading();
       t.wait_lost(t.far);
       t.check_pattern(t.far.received(), t.accepted());
     }},
    {"W5 a write after abort is dropped",
     [](trial& t) {
       t.connect();
       t.near_end().abort();
       t.check(t.near_end().write("late") == write_status::dropped, "the write should be dropped");
       t.wait_lost(t.near);
     }},
    {"W6 writes between an error and connection_lost are dropped, and there is no second error",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.break_output("last words");
       for (int i = 0; i < 5; ++i) t.check(t.near_end().write("more") == write_status::dropped, "the write should be dropped");
       const std::error_code reason = t.near_end().closing_reason();
       t.check(bool(reason), "the failed write should be the reason of the end");
       t.wait_lost(t.near);
       t.check_reason(t.near, reason);
     }},
};

constexpr conformance_case failed_write_cases[] = {
    {"W7 after a failed write the queue is gone, is_closing is true, and reading goes on to the peer's end",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.break_output("last words");
       t.check(t.near_end().is_closing(), "is_closing should be true");
       t.check_size(t.near_end().get_write_buffer_size(), 0, "get_write_buffer_size");
       t.check(!t.near.is_lost() && t.near.received().empty(), "nothing may be delivered from inside write");
       t.wait_lost(t.near);
       t.settle();
       t.check(t.near.received() == "last words", "the peer's last words are missing: " + t.near.trace());
       t.check(bool(t.near.lost_reason()), "the reason should be the write's error");
       t.check_size(t.near.events().size(), 3, "callbacks");
     }},
    {"W7 a pause is not resumed after a failed write",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_resume = [&t] { t.check(!t.near_end().is_closing(), "resume_writing came on a closing transport"); };
       t.set_marks(0, 0);
       t.far_end().abort();
       t.wait_lost(t.near);
       t.settle();
       t.check(t.near.events().back().starts_with("lost"), "unexpected callbacks: " + t.near.trace());
     }},
    {"W7 a write that fails while reading is held ends the connection at once",
     [](trial& t) {
       t.connect();
       t.near_end().pause_reading();
       t.far_end().write("unread");
       t.far_end().abort();
       t.wait_lost(t.far);
       for (int tries = 0; tries < 64 && !t.near.is_lost(); ++tries) {
         t.near_end().write("x");
         t.settle();
       }
       t.wait_lost(t.near);
       t.check(bool(t.near.lost_reason()), "the reason should be an error");
       t.check(t.near.received().empty(), "data was delivered although reading was paused");
     }},
};

constexpr conformance_case callback_write_cases[] = {
    {"W8 a write is legal in every callback, and in connection_lost it is a drop",
     [](trial& t) {
       t.near.on_made = [](transport& made) { made.write("made "); };
       t.near.on_data = [&](const_bytes) { t.near_end().write("data "); };
       t.near.on_eof = [&] {
         t.near_end().write("eof ");
         return eof::close;
       };
       t.near.on_lost = [&](std::error_code) {
         t.check(t.near_end().write("lost") == write_status::dropped, "a write in connection_lost should be dropped");
       };
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.far_end().write("x");
       t.wait_received(t.far, 10);
       if (t.far_end().can_write_eof())
         t.far_end().write_eof();
       else
         t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check(t.far.received().starts_with("made data "), "got " + t.far.received());
       if (t.has().half_close) t.check(t.far.received() == "made data eof ", "got " + t.far.received());
     }},
    {"W8 a write is legal in pause_writing and in resume_writing, and stays in order",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_pause = [&] {
         t.write_pattern(100);
         return backpressure::handled;
       };
       bool once = true;
       t.near.on_resume = [&] {
         if (std::exchange(once, false)) t.write_pattern(200'000);
       };
       t.set_marks(0, 0);
       t.far_end().resume_reading();
       t.wait_event(t.near, "resume");
       t.settle();
       t.drain();
     }},
    {"W9 each write says what became of it",
     [](trial& t) {
       t.connect();
       t.check(t.write_pattern(10) == write_status::accepted, "a small write should be accepted");
       const std::size_t queued = t.fill();
       t.set_marks(0, queued + 10);
       t.check(t.write_pattern(10) == write_status::accepted, "a write up to the high mark should be accepted");
       t.check(t.write_pattern(1) == write_status::above_high_mark, "a write above the high mark should say so");
       t.set_marks(0, queued + 1000);
       t.check(t.write_pattern(1) == write_status::above_high_mark, "a write while writing is paused should say so");
       t.drain();
       t.near_end().close();
       t.check(t.write_pattern(1) == write_status::dropped, "a write after close should be dropped");
     }},
    {"W9 a write whose pause_writing closes is accepted, and its bytes arrive",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_pause = [&] {
         t.near_end().close();
         return backpressure::handled;
       };
       t.set_marks(0, t.near_end().get_write_buffer_size() + 10);
       t.check(t.write_pattern(500) != write_status::dropped, "the transport has the bytes, so they were not dropped");
       t.check(t.near_end().is_closing() && t.near.count("pause") == 1, "pause_writing should have closed");
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, pause, lost");
     }},
    {"W9 a write whose pause_writing aborts is dropped",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_pause = [&] {
         t.near_end().abort();
         return backpressure::handled;
       };
       t.set_marks(0, t.near_end().get_write_buffer_size() + 10);
       t.check(t.near_end().write(pattern(500)) == write_status::dropped, "nothing of an aborted connection is delivered");
     }},
    {"W9 bytes of this turn that were not tried yet never count as above the high mark",
     [](trial& t) {
       t.connect();
       t.set_marks(0, 10);
       write_status status = write_status::dropped;
       t.in_turn([&] { status = t.write_pattern(100); });
       t.check(status == write_status::accepted, "the write was not tried yet and should be accepted");
       t.drain();
       t.check_trace(t.near, "made");
     }},
    {"W9 every accepted byte arrives, and no dropped one",
     [](trial& t) {
       t.connect();
       t.far_end().pause_reading();
       t.set_marks(1000, 5000);
       for (int i = 0; i < 300; ++i) t.write_pattern(1111);
       t.near_end().close();
       for (int i = 0; i < 3; ++i) t.write_pattern(1111);
       t.far_end().resume_reading();
       t.wait_lost(t.far);
       t.check_pattern(t.far.received(), t.accepted());
       t.check_size(t.accepted(), 300 * 1111, "bytes accepted");
     }},
};

// `count` views into `text`, of 0 to 4 bytes each, that make up the whole of it.
std::vector<const_bytes> cut_small(std::string_view text) {
  std::vector<const_bytes> parts;
  for (std::size_t at = 0; at < text.size(); at += parts.size() % 5) parts.push_back(as_bytes(text.substr(at, (parts.size() + 1) % 5)));
  return parts;
}

constexpr conformance_case gather_cases[] = {
    {"W10 a gather write keeps its order among plain writes, with more parts than any system takes at once",
     [](trial& t) {
       t.connect();
       const std::string text = pattern(20'000);
       const std::vector<const_bytes> parts = cut_small(text);
       t.in_turn([&] {
         t.near_end().write("before");
         t.near_end().writev(parts);
         t.near_end().write("after");
       });
       t.near_end().writev(parts);
       const std::string expected = "before" + text + "after" + text;
       t.wait_received(t.far, expected.size());
       t.check(t.far.received() == expected, "the stream is wrong");
     }},
    {"W10 a gather write behind a full queue keeps its order and counts once for flow control",
     [](trial& t) {
       t.connect();
       const std::size_t queued = t.fill();
       t.set_marks(0, queued + 100);
       const std::string text = pattern(10'000, t.accepted());
       const std::vector<const_bytes> parts = cut_small(text);
       t.check(t.near_end().writev(parts) == write_status::above_high_mark, "the gather write should say that it passed the mark");
       t.check_trace(t.near, "made, pause");
       t.check_size(t.near_end().get_write_buffer_size(), queued + text.size(), "get_write_buffer_size");
       t.far_end().resume_reading();
       t.wait_received(t.far, t.accepted() + text.size());
       t.check_pattern(t.far.received(), t.accepted() + text.size());
     }},
    {"W11 writes from inside the flush, in pause_writing and resume_writing, do not corrupt the queue",
     [](trial& t) {
       t.connect();
       t.far_end().pause_reading();
       t.set_marks(2000, 4000);
       int rounds = 0;
       t.near.on_pause = [&] {
         t.write_pattern(333);
         return backpressure::handled;
       };
       t.near.on_resume = [&] {
         if (++rounds < 50) t.write_pattern(30'000);
       };
       for (int i = 0; i < 20'000 && t.near.count("pause") == 0; ++i) t.write_pattern(1000);
       t.require(t.near.count("pause") != 0, "the medium is not bounded");
       t.far_end().resume_reading();
       t.wait("many rounds",
              [&] { return rounds >= 50 || (t.near_end().get_write_buffer_size() == 0 && t.far.received().size() >= t.accepted()); });
       t.drain();
       t.check(t.near.count("pause") == t.near.count("resume"), "each pause should be resumed: " + t.near.trace());
     }},
    {"W11 a close from inside the flush still sends what is queued",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near.on_resume = [&] {
         t.write_pattern(100'000);
         t.near_end().close();
       };
       t.set_marks(0, 0);
       t.far_end().resume_reading();
       t.wait_lost(t.far);
       t.check_pattern(t.far.received(), t.accepted());
     }},
};

}  // namespace

void add_writing_cases(case_list& cases) {
  cases.add(order_cases);
  cases.add(late_write_cases);
  cases.add(failed_write_cases);
  cases.add(callback_write_cases);
  cases.add(gather_cases);
}

}  // namespace sluice::testing
