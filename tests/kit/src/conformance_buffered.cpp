#include "conformance_trial.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

// B: protocols that read into memory of their own.

namespace sluice::testing {
namespace {

// Whether each "data" line follows a "get" line of its own.
bool each_data_has_a_buffer(const recorder& end) {
  bool given = false;
  for (const std::string& line : end.events()) {
    if (line == "get") given = true;
    if (line.starts_with("data") && !std::exchange(given, false)) return false;
  }
  return true;
}

constexpr conformance_case buffer_cases[] = {
    {"B1 get_buffer is called before each buffer_updated",
     [](trial& t) {
       std::array<std::byte, 512> memory{};
       t.buffered_near.on_get_buffer = [&](std::size_t) {
         t.buffered_near.note("get");
         return mutable_bytes(memory);
       };
       t.connect_buffered();
       t.far_end().write(pattern(20'000));
       t.wait_received(t.buffered_near, 20'000);
       t.check_pattern(t.buffered_near.received(), 20'000);
       t.check(each_data_has_a_buffer(t.buffered_near), "bytes came without a get_buffer");
     }},
    {"B1 an empty buffer is reported and ends the connection with errc::bad_buffer",
     [](trial& t) {
       t.buffered_near.on_get_buffer = [](std::size_t) { return mutable_bytes(); };
       t.connect_buffered();
       t.far_end().write("x");
       t.wait_lost(t.buffered_near);
       t.check_reason(t.buffered_near, errc::bad_buffer);
       t.expect_report(error_source::callback, "get_buffer");
     }},
    {"B2 a buffer is filled at most once and never beyond its end",
     [](trial& t) {
       t.buffered_near.buffer_size = 7;  // the recorder checks each call
       t.connect_buffered();
       t.far_end().write(pattern(5000));
       t.wait_received(t.buffered_near, 5000);
       t.check_pattern(t.buffered_near.received(), 5000);
       const auto& events = t.buffered_near.events();
       const auto updates = std::ranges::count_if(events, [](const std::string& line) { return line.starts_with("data"); });
       t.check(static_cast<std::size_t>(updates) <= t.buffered_near.buffers_given(), "a buffer was filled twice");
     }},
    {"B2 the end of input needs no buffer_updated",
     [](trial& t) {
       t.connect_buffered();
       t.far_end().close();
       t.wait_lost(t.buffered_near);
       t.check_trace(t.buffered_near, "made, eof, lost");
     }},
    {"B3 nobody touches the buffer between buffer_updated and the next get_buffer, nor around it",
     [](trial& t) {
       std::array<std::byte, 96> memory{};
       std::array<std::byte, 96> copy{};
       const auto keep = [&](const_bytes) { copy = memory; };
       t.buffered_near.on_get_buffer = [&](std::size_t) {
         t.check(memory == copy, "the buffer was changed although it was not lent");
         return mutable_bytes(memory).subspan(16, 64);
       };
       t.buffered_near.on_data = [&](const_bytes data) {
         t.check(std::memcmp(memory.data(), copy.data(), 16) == 0 && std::memcmp(memory.data() + 80, copy.data() + 80, 16) == 0,
                 "memory outside of the buffer was changed");
         keep(data);
       };
       t.connect_buffered();
       for (std::size_t sent = 0; sent < 3000; sent += 100) {
         t.far_end().write(pattern(100, sent));
         t.wait_received(t.buffered_near, sent + 100);
         t.settle();
       }
       t.check_pattern(t.buffered_near.received(), 3000);
     }},
};

constexpr conformance_case kind_cases[] = {
    {"B4 the kind of protocol is looked at again at each switch, both ways",
     [](trial& t) {
       t.connect();
       recording_buffered_protocol& second = t.another_buffered();
       recording_protocol& third = t.another();
       t.far_end().write("one");
       t.wait_received(t.near, 3);
       t.near_end().set_protocol(borrow(second));
       t.forgive(t.near);
       t.wait_event(second, "made");
       t.far_end().write("two");
       t.wait_received(second, 3);
       t.check(second.buffers_given() != 0, "the buffered protocol was not asked for its buffer");
       const std::size_t given = second.buffers_given();
       second.connection()->set_protocol(borrow(third));
       t.forgive(second);
       t.wait_event(third, "made");
       t.far_end().write("three");
       t.wait_received(third, 5);
       t.check_size(second.buffers_given(), given, "buffers that a replaced protocol was asked for");
       t.check_trace(t.near, "made, data 3");
       t.check_trace(second, "made, data 3");
       t.check_trace(third, "made, data 5");
     }},
    {"B4 what a buffered protocol leaves over when it switches comes before what is still held",
     [](trial& t) {
       recording_protocol& next = t.another();
       t.buffered_near.buffer_size = 16;
       t.buffered_near.on_data = [&](const_bytes data) {
         if (t.buffered_near.received().size() >= 32) t.buffered_end().set_protocol(borrow(next), data.subspan(5));
       };
       t.connect_buffered();
       t.forgive(t.buffered_near);
       t.buffered_end().pause_reading();
       t.far_end().write(pattern(5000));
       t.settle();
       t.buffered_end().resume_reading();
       t.wait_received(next, 5000 - 21);
       t.check(next.received() == pattern(5000 - 21, 21), "the next protocol got the bytes out of order");
       t.check_trace(t.buffered_near, "made, data 32");
     }},
    {"B5 held data is placed to the last byte, whatever the size of the buffers",
     [](trial& t) {
       t.buffered_near.buffer_size = 3;
       t.connect_buffered();
       t.buffered_end().pause_reading();
       t.far_end().write(pattern(10'000));
       t.settle();
       t.check_trace(t.buffered_near, "made");
       t.buffered_end().resume_reading();
       t.wait_received(t.buffered_near, 10'000);
       t.check_pattern(t.buffered_near.received(), 10'000);
     }},
    {"B5 a pause inside buffer_updated holds the rest, which comes first on resume",
     [](trial& t) {
       t.buffered_near.buffer_size = 16;
       t.buffered_near.on_data = [&](const_bytes) { t.buffered_end().pause_reading(); };
       t.connect_buffered();
       t.far_end().write(pattern(500));
       for (std::size_t before = 0; before < 500; before = t.buffered_near.received().size()) {
         t.wait_received(t.buffered_near, before + 1);
         t.settle();
         t.check(t.buffered_near.received().size() <= before + 16, "bytes came although reading was paused");
         t.buffered_end().resume_reading();
       }
       t.wait_received(t.buffered_near, 500);
       t.check_pattern(t.buffered_near.received(), 500);
     }},
    {"B5 a close inside buffer_updated ends the placing",
     [](trial& t) {
       t.buffered_near.buffer_size = 16;
       t.buffered_near.on_data = [&](const_bytes) { t.buffered_end().close(); };
       t.connect_buffered();
       t.far_end().write(pattern(500));
       t.wait_lost(t.buffered_near);
       t.check_trace(t.buffered_near, "made, data 16, lost");
     }},
    {"B6 a buffered protocol sees the same life as any other, over this transport too",
     [](trial& t) {
       t.far.on_pause = [] { return backpressure::handled; };  // else each end would wait for the other to read
       t.buffered_near.on_data = [&](const_bytes data) { t.buffered_end().write(data); };
       t.connect_buffered();
       const std::string sent = pattern(200'000);
       t.far_end().write(sent);
       t.wait_received(t.far, sent.size());
       t.far_end().close();
       t.wait_lost(t.buffered_near);
       t.check(t.far.received() == sent, "the echo is wrong");
       t.check(t.buffered_near.trace().ends_with("eof, lost"), "unexpected callbacks: " + t.buffered_near.trace());
     }},
};

}  // namespace

void add_buffered_cases(case_list& cases) {
  cases.add(buffer_cases);
  cases.add(kind_cases);
}

}  // namespace sluice::testing
