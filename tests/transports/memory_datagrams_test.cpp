#include <sluice/memory/datagrams.hpp>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>
#include <sluice/datagram_transport_ref.hpp>
#include <sluice/error.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_datagram_protocol.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using memory::side;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_datagram_protocol;

namespace {

struct site {
  explicit site(const memory::datagram_link_options& settings = {})
      : made(memory::datagram_pair(scheduler, borrow(first), borrow(second), settings)) {}
  ~site() {
    scheduler.for_each_datagram_transport([](datagram_transport& open) { open.abort(); });
    scheduler.run_until_idle();
  }

  recording_datagram_protocol first, second;
  manual_scheduler scheduler;
  memory::datagram_connection made;
};

const address second_address = address::loopback_v4(2);

}  // namespace

TEST_CASE("M3 a link for datagrams holds as many as its capacity says, and the next ones wait") {
  site here({.capacity = 3});
  here.made.second.pause_reading();
  for (int i = 0; i < 5; ++i) here.made.first.send_to("12345", second_address);
  CHECK(here.made.link.in_flight(side::first) == 3);
  CHECK(here.made.first.get_write_buffer_size() == 2 * (5 + datagram_transport::overhead));
  here.made.second.resume_reading();
  here.scheduler.run_until_idle();
  CHECK(here.second.received().size() == 5);
}

TEST_CASE("M3 datagrams travel as long as the latency says") {
  site here({.latency = 10ms});
  here.made.first.send_to("one", second_address);
  here.scheduler.advance(6ms);
  here.made.first.send_to("two", second_address);
  here.scheduler.advance(4ms);
  CHECK(here.second.trace() == "made, datagram 3");
  here.scheduler.advance(6ms);
  CHECK(here.second.received().size() == 2);
}

TEST_CASE("D5 failures of sends and receives that a test plants are told and end nothing") {
  site here;
  here.made.link.fail_sends(side::first, system_error(ENETUNREACH));
  here.made.first.send_to("lost", second_address);
  here.scheduler.run_until_idle();
  here.made.link.fail_sends(side::first, {});
  here.made.first.send_to("kept", second_address);
  here.made.link.fail_receive(side::first, system_error(ECONNREFUSED));
  here.scheduler.run_until_idle();
  CHECK(here.first.errors() == 2);
  CHECK(here.first.last_error() == std::errc::connection_refused);
  CHECK(here.made.first.counters().receive_errors == 1);
  CHECK(here.made.first.counters().send_errors == 1);
  CHECK(here.second.trace() == "made, datagram 4");
}

TEST_CASE("D5 nobody is at another address") {
  site here;
  CHECK(here.made.first.send_to("lost", {"10.0.0.1", 5}) == send_status::accepted);
  here.scheduler.run_until_idle();
  CHECK(here.first.last_error() == std::errc::host_unreachable);
}

TEST_CASE("C7 a medium that breaks for good is one connection_lost") {
  site here;
  here.made.link.fail(side::first, system_error(EIO));
  here.scheduler.run_until_idle();
  CHECK(here.first.is_lost());
  CHECK(here.first.lost_reason() == std::errc::io_error);
}

TEST_CASE("a stalled sender goes on when the stall is over") {
  site here;
  here.made.link.stall(side::first);
  here.made.first.send_to("later", second_address);
  here.scheduler.run_until_idle();
  CHECK(here.second.received().empty());
  here.made.link.stall(side::first, false);
  here.scheduler.run_until_idle();
  CHECK(here.second.received().size() == 1);
}

TEST_CASE("R12 over the memory budget reading is held for the transport whose datagrams wait") {
  site here({.capacity = 1});
  here.scheduler.on_error([](const error_event&) {});
  here.scheduler.set_memory_budget(512 * 1024);
  here.made.second.pause_reading();
  here.first.on_pause = [] { return backpressure::handled; };
  const auto fill = [&](int n) {
    for (int i = 0; i < n; ++i) here.made.first.send_to(std::string(60'000, 'x'), second_address);
    here.scheduler.run_until_idle();
  };
  fill(10);
  fill(2);
  CHECK((here.made.first.holds() & static_cast<std::uint8_t>(hold::memory_budget)) != 0);
  CHECK(here.scheduler.counters().memory_holds == 1);
  here.made.second.resume_reading();
  here.scheduler.run_until_idle();
  CHECK(here.made.first.holds() == 0);
  CHECK(here.second.received().size() == 12);
}

TEST_CASE("what makes no sense is refused") {
  manual_scheduler scheduler;
  recording_datagram_protocol one;
  CHECK_THROWS_AS(memory::datagram_pair(scheduler, borrow(one), nullptr), std::invalid_argument);
  CHECK_THROWS_WITH_AS(memory::datagram_pair(scheduler, borrow(one), borrow(one), {.capacity = 0}),
                       "memory::datagram_link_options: capacity is 0; a link must hold at least 1 datagram", std::invalid_argument);
}

TEST_CASE("M1 a ping-pong of two echoes ends each of its turns") {
  site here;
  std::size_t left = 100;
  const auto answer = [&left](datagram_transport& end) {
    return [&end, &left](const_bytes data, const address& from) {
      if (left != 0 && --left != 0) end.send_to(data, from);
    };
  };
  here.first.on_datagram = answer(here.made.first);
  here.second.on_datagram = answer(here.made.second);
  here.made.first.send_to("ball", second_address);
  CHECK(here.scheduler.run_until_idle() >= 100);
}

TEST_CASE("L8 a reference outlives the transport and its scheduler") {
  datagram_transport_ref ref;
  CHECK_FALSE(ref);
  {
    site here;
    ref = datagram_transport_ref(here.made.first);
    CHECK(ref.get() == &here.made.first);
    ref.close();
    here.scheduler.run_until_idle();
    CHECK_FALSE(ref);
  }
  CHECK_FALSE(ref);
  CHECK(ref.send_to({}, second_address) == send_status::dropped);
}
