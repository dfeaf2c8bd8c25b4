#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/testing/simulated_line.hpp>

#include <string>
#include <vector>

#include "scripted_line.hpp"

// Bytes that are collected and delivered together, in virtual time.

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

TEST_CASE("Z5 a silence of nanoseconds ends a packet, and no shorter one does") {
  serial::options settings;
  settings.silence = 1750us;
  scripted_line line(settings);
  line.arrive("abc");
  line.scheduler.advance(1749us);
  line.arrive("def");
  line.scheduler.advance(1749us);
  CHECK(line.end.received().empty());
  line.scheduler.advance(1us);
  CHECK(line.end.received() == "abcdef");
  CHECK(line.end.count("data 6") == 1);
}

TEST_CASE("Z5 a packet that reaches its size does not wait for a silence") {
  serial::options settings;
  settings.silence = 10ms;
  settings.packet_size = 4;
  scripted_line line(settings);
  line.arrive("abcdef");
  CHECK(line.end.received() == "abcd");
  line.scheduler.advance(10ms);
  CHECK(line.end.received() == "abcdef");
}

TEST_CASE("Z5 a time for the whole packet ends it however long the line goes on, and alone without a silence") {
  for (const std::chrono::nanoseconds silence : {2ms, 0ms}) {
    serial::options settings;
    settings.silence = silence;
    settings.packet_time = 10'000'001ns;
    scripted_line line(settings);
    for (int i = 0; i < 6; ++i) {
      line.arrive("x");
      line.scheduler.advance(1'999'999ns);
    }
    CHECK(line.end.trace() == "made, data 6");  // the seventh would be too late by a byte, or the sixth too early
    line.arrive("y");
    line.scheduler.advance(silence > 0ms ? 2ms : 10'000'000ns);
    CHECK(line.end.received() == (silence > 0ms ? "xxxxxxy" : "xxxxxx"));
    line.scheduler.advance(1ns);
    CHECK(line.end.received() == "xxxxxxy");
  }
}

TEST_CASE("Z5 the time of a packet begins with its first byte, also behind one that was full or was thrown away") {
  serial::options settings;
  settings.packet_time = 10ms;
  settings.packet_size = 3;
  scripted_line line(settings);
  line.arrive("ab");
  line.scheduler.advance(9ms);
  line.arrive("cde");  // "abc" is full
  CHECK(line.end.received() == "abc");
  line.scheduler.advance(9'999'999ns);
  CHECK(line.end.received() == "abc");
  line.scheduler.advance(1ns);
  CHECK(line.end.received() == "abcde");
  line.arrive("f");
  line.scheduler.advance(9ms);
  CHECK_FALSE(line.control().discard(serial::direction::input));
  line.arrive("g");
  line.scheduler.advance(9'999'999ns);
  CHECK(line.end.received() == "abcde");
  line.scheduler.advance(1ns);
  CHECK(line.end.received() == "abcdeg");
}

TEST_CASE("Z5 bytes that came before a packet's time was over belong to it, also where this program is late to read them") {
  serial::options settings;
  settings.packet_time = 10ms;
  scripted_line line(settings);
  line.arrive("on time");
  line.script->input = ", and read late";  // nobody has told us yet
  line.scheduler.advance(10ms);
  CHECK(line.end.trace() == "made, data 22");
  CHECK(line.end.received() == "on time, and read late");
}

TEST_CASE("Z5 what a device sent before it went is delivered, also where its silence was not over") {
  serial::options settings;
  settings.silence = 10ms;
  scripted_line line(settings);
  line.arrive("abc");
  line.script->listener->gone(make_error_code(std::errc::io_error));
  line.scheduler.run_until_idle();
  CHECK(line.end.received() == "abc");
  CHECK(line.end.lost_reason() == serial::errc::device_gone);
}

TEST_CASE("Z5 a sender that never falls silent is heard in packets of one length of time, to the character") {
  recording_protocol sender, receiver;
  std::vector<std::size_t> sizes;
  receiver.on_data = [&](const_bytes data) { sizes.push_back(data.size()); };
  manual_scheduler scheduler;
  testing::simulated_line cable(scheduler);
  testing::simulated_port& here = cable.add();
  testing::simulated_port& there = cable.add();
  const auto sending = serial::open(
      scheduler, here.device(), [&] { return borrow(sender); }, {}, with_baud(10'000));
  serial::options collecting = with_baud(10'000);  // a character in 1 ms
  collecting.silence = 1500us;
  collecting.packet_time = 9500us;
  const auto receiving = serial::open(
      scheduler, there.device(), [&] { return borrow(receiver); }, {}, collecting);
  scheduler.run_until_idle();
  std::string text;
  for (int i = 0; i < 95; ++i) text += static_cast<char>('!' + i % 90);
  sender.connection()->write(text);
  scheduler.advance(1s);
  CHECK(receiver.received() == text);
  CHECK(sizes == std::vector<std::size_t>{10, 10, 10, 10, 10, 10, 10, 10, 10, 5});
  for (recording_protocol* const each : {&sender, &receiver}) each->connection()->abort();
  scheduler.run_until_idle();
}
