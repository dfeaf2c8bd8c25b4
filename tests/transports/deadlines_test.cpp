#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/timer.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::lost_line;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

// A connection with deadlines, and its peer, which has none.
struct watched_connection {
  explicit watched_connection(const stream_options& deadlines, const memory::options& settings = {}) {
    scheduler.on_error([](const error_event& event) {
      if (event.source != error_source::leak) FAIL_CHECK(describe(event));
    });
    auto made = memory::pair(scheduler, borrow(watched), borrow(peer), settings);
    end = &made.first;
    peer_end = &made.second;
    REQUIRE_FALSE(end->set_options(deadlines));
    scheduler.run_until_idle();
  }

  std::string last_event() const { return watched.events().back(); }

  recording_protocol watched, peer;
  manual_scheduler scheduler;
  transport* end = nullptr;
  transport* peer_end = nullptr;
};

stream_options none() { return {}; }

}  // namespace

TEST_CASE("C8 a client that sends nothing at all is cut off") {
  stream_options deadlines = none();
  deadlines.first_byte_timeout = 10s;
  watched_connection connection(deadlines);
  connection.end->write("welcome");  // what we send does not count
  connection.scheduler.advance(9999ms);
  CHECK(connection.last_event() == "made");
  connection.scheduler.advance(1ms);
  CHECK(connection.last_event() == lost_line(errc::first_byte_timeout));
}

TEST_CASE("C8 silence ends a connection, and each byte in either direction puts that off") {
  stream_options deadlines = none();
  deadlines.idle_timeout = 8s;
  watched_connection connection(deadlines);
  for (int i = 0; i < 10; ++i) {
    connection.scheduler.advance(7s);
    i % 2 == 0 ? connection.end->write("ping") : connection.peer_end->write("pong");
  }
  connection.scheduler.advance(7999ms);
  CHECK_FALSE(connection.end->is_closing());
  connection.scheduler.advance(1001ms);  // an eighth late at most
  CHECK(connection.last_event() == lost_line(errc::idle_timeout));
}

TEST_CASE("C8 output that does not move ends a connection") {
  stream_options deadlines = none();
  deadlines.write_stall_timeout = 8s;
  memory::options small;
  small.capacity = 1000;
  watched_connection connection(deadlines, small);
  connection.scheduler.advance(1h);
  connection.peer_end->pause_reading();
  connection.end->write(std::string(5000, 'x'));
  connection.scheduler.advance(7s);
  connection.peer_end->resume_reading();  // the peer takes some
  connection.scheduler.run_until_idle();
  connection.peer_end->pause_reading();
  connection.end->write(std::string(5000, 'x'));
  connection.scheduler.advance(7999ms);
  CHECK_FALSE(connection.end->is_closing());
  connection.scheduler.advance(2001ms);
  CHECK(connection.last_event() == lost_line(errc::write_stalled));
}

TEST_CASE("C8 L17 a lifetime asks the protocol to end, and the default closes in order") {
  stream_options deadlines = none();
  deadlines.lifetime = 60s;
  watched_connection connection(deadlines);
  for (int i = 0; i < 59; ++i) {
    connection.scheduler.advance(1s);
    connection.peer_end->write("still here");
  }
  connection.scheduler.advance(999ms);
  CHECK_FALSE(connection.end->is_closing());
  connection.scheduler.advance(1ms);
  CHECK(connection.last_event() == lost_line({}));
}

TEST_CASE("C8 a protocol that takes too long after its lifetime is cut off") {
  stream_options deadlines = none();
  deadlines.lifetime = 60s;
  deadlines.close_timeout = 5s;
  watched_connection connection(deadlines);
  connection.watched.on_shutting_down = [] { return shutdown_action::handled; };
  connection.scheduler.advance(64999ms);
  CHECK(connection.last_event() == "shutting down");
  connection.scheduler.advance(1ms);
  CHECK(connection.last_event() == lost_line(errc::lifetime_over));
}

TEST_CASE("C8 C4 once closing has begun only the close timeout counts") {
  stream_options deadlines = none();
  deadlines.idle_timeout = 1s;
  deadlines.first_byte_timeout = 1s;
  deadlines.write_stall_timeout = 1s;
  deadlines.lifetime = 1s;
  deadlines.close_timeout = 20s;
  memory::options small;
  small.capacity = 1000;
  watched_connection connection(deadlines, small);
  connection.peer_end->pause_reading();
  connection.end->write(std::string(100'000, 'x'));
  connection.end->close();
  connection.scheduler.advance(19999ms);
  CHECK(connection.last_event() == "pause");
  connection.scheduler.advance(1ms);
  CHECK(connection.last_event() == lost_line(errc::timed_out));
}

TEST_CASE("C8 deadlines can be set and taken away while the connection lasts") {
  watched_connection connection(none());
  connection.scheduler.advance(1h);
  stream_options deadlines = none();
  deadlines.idle_timeout = 8s;
  CHECK_FALSE(connection.end->set_options(deadlines));
  connection.scheduler.advance(7s);
  CHECK_FALSE(connection.end->set_options(none()));
  connection.scheduler.advance(1h);
  CHECK_FALSE(connection.end->is_closing());
  CHECK(connection.scheduler.next_timer() == time_point::max());
  CHECK_FALSE(connection.end->set_options(deadlines));
  connection.scheduler.advance(8s);
  CHECK(connection.last_event() == lost_line(errc::idle_timeout));
}

TEST_CASE("C8 L17 a lifetime that is over already when it is set asks the protocol in a later turn, not inside the call") {
  stream_options deadlines = none();
  deadlines.lifetime = 60s;
  watched_connection connection(deadlines);
  connection.scheduler.advance(50s);
  connection.watched.on_data = [&](const_bytes) {
    deadlines.lifetime = 40s;
    CHECK_FALSE(connection.end->set_options(deadlines));
    CHECK(connection.last_event() == "data 4");
  };
  connection.peer_end->write("ping");
  connection.scheduler.run_until_idle();
  CHECK(connection.last_event() == "data 4");
  connection.watched.on_shutting_down = [&] {
    CHECK_FALSE(connection.end->set_write_buffer_limits({.high = 100, .low = {}}));
    CHECK(connection.watched.count("shutting down") == 1);
    return shutdown_action::close;
  };
  connection.scheduler.advance(1ms);
  CHECK(connection.last_event() == lost_line({}));
}

TEST_CASE("C8 a protocol that makes its lifetime longer when it is asked to end is not cut off") {
  stream_options deadlines = none();
  deadlines.lifetime = 60s;
  deadlines.close_timeout = 5s;
  watched_connection connection(deadlines);
  connection.watched.on_shutting_down = [&] {
    deadlines.lifetime = 120s;
    CHECK_FALSE(connection.end->set_options(deadlines));
    return shutdown_action::handled;
  };
  connection.scheduler.advance(124s);
  CHECK(connection.last_event() == "shutting down");
  connection.scheduler.advance(1s);
  CHECK(connection.last_event() == lost_line(errc::lifetime_over));
  CHECK(connection.watched.count("shutting down") == 1);
}

TEST_CASE("C8 a connection for whose next deadline there is no memory ends, and nothing throws") {
  stream_options deadlines = none();
  deadlines.lifetime = 60s;
  watched_connection connection(deadlines);
  std::vector<std::unique_ptr<timer>> greedy;  // take the place of the deadline's own timer, and the last one that there is memory for
  std::optional<sluice::testing::allocation_failure> failure;
  connection.watched.on_shutting_down = [&] {
    for (int i = 0; i < 2; ++i) greedy.push_back(std::make_unique<timer>(connection.scheduler, [] {}));
    failure.emplace(0);
    return shutdown_action::handled;
  };
  connection.watched.on_lost = [&](std::error_code) { failure.reset(); };
  connection.scheduler.advance(61s);
  CHECK(connection.watched.is_lost());
  CHECK(connection.watched.lost_reason() == std::errc::not_enough_memory);
}

TEST_CASE("C8 a deadline costs nothing per message") {
  stream_options deadlines = none();
  deadlines.idle_timeout = 8s;
  deadlines.write_stall_timeout = 8s;
  deadlines.lifetime = 24h;
  watched_connection connection(deadlines);
  const time_point next = connection.scheduler.next_timer();
  for (int i = 0; i < 100; ++i) {
    connection.peer_end->write("message");
    connection.scheduler.run_until_idle();
  }
  CHECK(connection.scheduler.next_timer() == next);
  CHECK(connection.scheduler.counters().timers_fired == 0);
}

TEST_CASE("every deadline is std::errc::timed_out, and an end of our own making") {
  for (const errc code : {errc::timed_out, errc::first_byte_timeout, errc::idle_timeout, errc::write_stalled, errc::lifetime_over}) {
    CHECK(make_error_code(code) == std::errc::timed_out);
    CHECK(make_error_code(code) == condition::local_end);
  }
  CHECK_FALSE(make_error_code(errc::aborted) == std::errc::timed_out);
}
