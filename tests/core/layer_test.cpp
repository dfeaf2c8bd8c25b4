#include <sluice/layer.hpp>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using sluice::testing::lost_line;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

TEST_CASE("V4 a layer that is put on a closing transport is closing from the first, and takes no bytes that would go nowhere") {
  manual_scheduler scheduler;
  recording_protocol plain, upper, peer;
  auto made = memory::pair(scheduler, borrow(plain), borrow(peer));
  upper.on_made = [](transport& above) {
    CHECK(above.is_closing());
    CHECK(above.write("too late") == write_status::dropped);
  };
  made.first.close();
  CHECK_FALSE(made.first.upgrade(std::make_unique<layer>(scheduler), borrow(upper)));
  scheduler.run_until_idle();
  CHECK(upper.trace() == "made, lost");
  CHECK(plain.trace() == "made");
  CHECK(peer.trace() == "made, eof, lost");
}

TEST_CASE("V6 a switch that was asked for outside of a callback does not happen inside a write that pauses") {
  manual_scheduler scheduler;
  recording_protocol before, after, peer;
  auto made = memory::pair(scheduler, borrow(before), borrow(peer), {.capacity = 10});
  made.first.set_write_buffer_limits({.high = 0, .low = {}});
  made.second.pause_reading();
  made.first.set_protocol(borrow(after));
  CHECK(made.first.write("more than there is room for") == write_status::above_high_mark);
  CHECK(before.trace() == "made, pause");
  CHECK(after.trace() == "");
  scheduler.run_until_idle();
  CHECK(after.trace() == "made, pause");
  made.second.resume_reading();
  scheduler.run_until_idle();
  CHECK(after.trace() == "made, pause, resume");
  CHECK(peer.received() == "more than there is room for");
  made.first.close();
  scheduler.run_until_idle();
}

TEST_CASE("V2 a switch that pause_writing asks for waits for the end of the write that it interrupts") {
  manual_scheduler scheduler;
  recording_protocol before, after, peer;
  auto made = memory::pair(scheduler, borrow(before), borrow(peer), {.capacity = 10});
  made.first.set_write_buffer_limits({.high = 0, .low = {}});
  before.on_pause = [&] {
    made.first.set_protocol(borrow(after));
    return backpressure::handled;
  };
  made.first.write("more than there is room for");
  CHECK(after.trace() == "");
  scheduler.run_until_idle();
  CHECK(after.trace() == "made, pause, resume");
  made.first.close();
  scheduler.run_until_idle();
}

TEST_CASE("X6 output that a layer still held when the transport below was closed under it is not an orderly end") {
  manual_scheduler scheduler;
  recording_protocol upper, peer;
  auto made = memory::pair(scheduler, std::make_unique<layer>(scheduler, borrow(upper)), borrow(peer), {.capacity = 10});
  made.first.set_write_buffer_limits({.high = 0, .low = {}});
  made.second.pause_reading();
  upper.connection()->write("fills the link and what is below");
  upper.connection()->write("stays above");
  CHECK(upper.connection()->get_write_buffer_size() == 11);
  made.first.close();
  made.second.resume_reading();
  scheduler.run_until_idle();
  CHECK(upper.trace() == "made, " + lost_line(errc::closed));
  CHECK(peer.trace() == "made, data 32, eof, lost");
}

TEST_CASE("V5 a layer that is established before it stands on a transport is misuse, and goes on with its handshake") {
  struct hasty final : layer {
    hasty(sluice::scheduler& owner, protocol_ptr upper) : layer(owner, std::move(upper)) { established(); }
  };
  manual_scheduler scheduler;
  std::vector<std::string> reports;
  scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  recording_protocol upper, peer;
  auto early = std::make_unique<hasty>(scheduler, borrow(upper));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("a layer was established before connection_made") != std::string::npos);
  CHECK(upper.trace().empty());
  auto made = memory::pair(scheduler, std::move(early), borrow(peer));
  CHECK(upper.trace() == "made");
  made.first.close();
  scheduler.run_until_idle();
}

TEST_CASE("V5 a layer without a protocol above it is misuse, and ends the connection") {
  manual_scheduler scheduler;
  std::vector<std::string> reports;
  scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  recording_protocol peer;
  memory::pair(scheduler, std::make_unique<layer>(scheduler), borrow(peer));
  scheduler.run_until_idle();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("a layer was established without a protocol above it") != std::string::npos);
  CHECK(peer.is_lost());
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("F9 what a layer has above what one turn sends goes on, however much the transport below takes") {
  manual_scheduler scheduler;
  recording_protocol upper, peer;
  auto made = memory::pair(scheduler, std::make_unique<layer>(scheduler, borrow(upper)), borrow(peer), {.capacity = 8 * 1024 * 1024});
  made.link.stall(memory::side::first);
  for (int i = 0; i < 30; ++i) upper.connection()->write(std::string(100'000, 'm'));
  upper.connection()->close();
  CHECK(upper.connection()->get_write_buffer_size() == 2'900'000);
  made.link.stall(memory::side::first, false);
  scheduler.run_until_idle();
  CHECK(peer.received().size() == 3'000'000);
  CHECK(upper.trace() == "made, pause, lost");
}

TEST_CASE("a layer that takes nothing for reasons of its own is not asked all the time") {
  struct gated final : layer {
    using layer::layer;
    send_result send(std::span<const const_bytes> parts) override {
      ++asked;
      return opened ? layer::send(parts) : send_result();
    }
    void open() {
      opened = true;
      ready_to_send();
    }
    int asked = 0;
    bool opened = false;
  };
  manual_scheduler scheduler;
  recording_protocol upper, peer;
  auto between = std::make_unique<gated>(scheduler, borrow(upper));
  gated& gate = *between;
  memory::pair(scheduler, std::move(between), borrow(peer));
  upper.connection()->write("later");
  scheduler.run_until_idle();
  CHECK(gate.asked < 3);
  gate.open();
  scheduler.run_until_idle();
  CHECK(peer.received() == "later");
  upper.connection()->close();
  scheduler.run_until_idle();
}

TEST_CASE("R3 a layer that is established while nobody wants input stops reading below") {
  struct late final : layer {
    using layer::layer;
    void connection_made(transport& below) override { attach(below); }
    void now() { established(true); }
  };
  manual_scheduler scheduler;
  recording_protocol upper, peer;
  auto between = std::make_unique<late>(scheduler, borrow(upper));
  late& above = *between;
  auto made = memory::pair(scheduler, std::move(between), borrow(peer));
  above.now();
  for (int i = 0; i < 100; ++i) {
    made.second.write(std::string(10'000, 'x'));
    scheduler.run_until_idle();
  }
  CHECK(peer.count("pause") == 1);
  CHECK(made.first.counters().bytes_received == 0);
  above.resume_reading();
  scheduler.run_until_idle();
  CHECK(upper.received().size() == 1'000'000);
  above.close();
  scheduler.run_until_idle();
}

TEST_CASE("V5 a layer that was closed before it is put in ends the connection, and the protocol that asked hears of it") {
  manual_scheduler scheduler;
  recording_protocol plain, upper, peer;
  auto made = memory::pair(scheduler, borrow(plain), borrow(peer));
  auto between = std::make_unique<layer>(scheduler);
  between->close();
  CHECK_FALSE(made.first.upgrade(std::move(between), borrow(upper)));
  scheduler.run_until_idle();
  CHECK(plain.trace() == "made, " + lost_line(errc::aborted));
  CHECK(upper.trace().empty());
  CHECK(peer.is_lost());
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("V5 E1 a layer that is put in behind the peer's end hears of that end") {
  manual_scheduler scheduler;
  recording_protocol plain, upper, peer;
  plain.on_eof = [] { return eof::keep_open; };
  auto made = memory::pair(scheduler, borrow(plain), borrow(peer));
  made.second.write_eof();
  scheduler.run_until_idle();
  CHECK(plain.trace() == "made, eof");
  CHECK_FALSE(made.first.upgrade(std::make_unique<layer>(scheduler), borrow(upper)));
  scheduler.run_until_idle();
  CHECK(upper.trace() == "made, eof, lost");
  CHECK(peer.is_lost());
}
