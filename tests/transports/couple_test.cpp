#include <sluice/couple.hpp>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/local.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "socket_kit.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

std::string pattern(std::size_t n) {
  std::string bytes(n, '\0');
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

// left ── [near | far] coupled ── right
struct site {
  explicit site(const memory::options& settings = {}) : site(settings, settings) {}
  site(const memory::options& on_the_left, const memory::options& on_the_right)
      : left_link(memory::pair(scheduler, borrow(left), std::move(halves.first), on_the_left)),
        right_link(memory::pair(scheduler, borrow(right), std::move(halves.second), on_the_right)) {}

  transport& left_end() { return left_link.first; }
  transport& right_end() { return right_link.first; }
  void settle() { scheduler.run_until_idle(); }

  recording_protocol left, right;
  std::optional<coupling_report> ended;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler, [this](const coupling_report& report) { ended = report; });
  coupling joint = halves.joint;
  memory::connection left_link;
  memory::connection right_link;
};

bool is_held(const transport& source) {
  return (dynamic_cast<const stream_transport&>(source).holds() & static_cast<std::uint8_t>(hold::coupling)) != 0;
}

}  // namespace

TEST_CASE("what one end receives the other one sends, both ways") {
  site here;
  here.left_end().write("to the right");
  here.right_end().write("to the left");
  here.settle();
  CHECK(here.right.received() == "to the right");
  CHECK(here.left.received() == "to the left");
  CHECK(here.joint.report().forth.bytes == 12);
  CHECK(here.joint.report().back.chunks == 1);
  here.joint.close();
  here.settle();
  CHECK(here.left.trace() == "made, data 11, eof, lost");
  CHECK(here.right.trace() == "made, data 12, eof, lost");
}

TEST_CASE("R12 a source is held while its sink is above the mark, whatever the user does, and no byte is lost") {
  site here({.capacity = 4096}, {.capacity = 4096});
  here.halves.joint.second()->set_write_buffer_limits({.high = 10'000, .low = 2'000});
  here.left.on_pause = [] { return backpressure::handled; };
  here.right_link.link.stall(memory::side::second);
  const std::string all = pattern(500'000);
  here.left_end().write(all);
  here.settle();
  transport& source = *here.joint.first();
  CHECK(is_held(source));
  CHECK(source.is_reading());
  CHECK(here.joint.second()->get_write_buffer_size() > 10'000);
  CHECK(here.joint.second()->get_write_buffer_size() <= 10'000 + 4096);
  source.pause_reading();
  source.resume_reading();
  here.settle();
  CHECK(is_held(source));
  here.right_link.link.stall(memory::side::second, false);
  here.settle();
  CHECK(here.right.received() == all);
  CHECK(here.joint.report().forth.holds > 0);
  CHECK_FALSE(is_held(source));
  here.joint.close();
  here.settle();
}

TEST_CASE("R10 what waits for a slow sink is bounded by its mark and one read") {
  site here({.capacity = 100'000, .window = 100'000, .max_receive = 300}, {.capacity = 10});
  here.right_link.link.stall(memory::side::second);
  here.joint.second()->set_write_buffer_limits({.high = 1000, .low = {}});
  here.left.on_pause = [] { return backpressure::handled; };
  here.left_end().write(std::string(90'000, 'x'));
  here.settle();
  CHECK(here.joint.second()->get_write_buffer_size() > 1000);
  CHECK(here.joint.second()->get_write_buffer_size() <= 1300);
  here.right_link.link.stall(memory::side::second, false);
  here.settle();
  CHECK(here.right.received().size() == 90'000);
  CHECK(here.joint.report().forth.chunks >= 300);
  here.joint.close();
  here.settle();
}

TEST_CASE("R12 a pause of the user's stays when the sink has caught up") {
  site here;
  here.joint.first()->pause_reading();
  here.left_end().write("later");
  here.settle();
  CHECK(here.right.received().empty());
  here.joint.first()->resume_reading();
  here.settle();
  CHECK(here.right.received() == "later");
  here.joint.close();
  here.settle();
}

TEST_CASE("E7 the end of one side becomes the end of the other, behind the bytes, and the other direction goes on") {
  site here({.capacity = 1000}, {.capacity = 100});
  here.right.on_eof = [] { return eof::keep_open; };
  const std::string all = pattern(50'000);
  here.left_end().write(all);
  here.left_end().write_eof();
  here.settle();
  CHECK(here.right.received() == all);
  CHECK(here.right.trace() == "made, data 50000, eof");
  here.right_end().write("the answer");
  here.settle();
  CHECK(here.left.received() == "the answer");
  here.right_end().close();
  here.settle();
  CHECK(here.left.is_lost());
  REQUIRE(here.ended);
  CHECK_FALSE(here.ended->first);
  CHECK_FALSE(here.ended->second);
  CHECK_FALSE(here.joint.is_open());
}

TEST_CASE("when one end is lost the other one closes once it has sent everything") {
  site here({.capacity = 1'000'000}, {.capacity = 100});
  here.right_link.link.stall(memory::side::second);
  const std::string all = pattern(30'000);
  here.left_end().write(all);
  here.settle();
  here.left_end().reset();
  here.settle();
  CHECK(here.joint.first() == nullptr);
  CHECK(here.joint.second() != nullptr);
  here.right_link.link.stall(memory::side::second, false);
  here.settle();
  CHECK(here.right.received() == all);
  CHECK(here.right.trace() == "made, data 30000, eof, lost");
  REQUIRE(here.ended);
  CHECK(here.ended->first == std::errc::connection_reset);
  CHECK_FALSE(here.ended->second);
}

TEST_CASE("W7 bytes for an end that cannot send any more are counted, and what it still receives is delivered") {
  site here;
  here.right_link.link.fail_sends(memory::side::second, system_error(EPIPE));
  here.left_end().write("goes nowhere");
  here.settle();
  here.left_end().write("neither does this");
  here.settle();
  here.right_end().write("last words");
  here.right_end().close();
  here.settle();
  CHECK(here.left.received() == "last words");
  CHECK(here.left.is_lost());
  REQUIRE(here.ended);
  CHECK(here.ended->second == std::errc::broken_pipe);
  CHECK(here.ended->forth.bytes + here.ended->forth.dropped == 12 + 17);
  CHECK(here.ended->forth.dropped == 17);
}

TEST_CASE("the end that is there first is held until the other one is") {
  recording_protocol left, right;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler);
  memory::connection first = memory::pair(scheduler, borrow(left), std::move(halves.first));
  first.first.write("early bird");
  first.first.write_eof();
  scheduler.run_until_idle();
  CHECK(halves.joint.second() == nullptr);
  memory::pair(scheduler, borrow(right), std::move(halves.second));
  scheduler.run_until_idle();
  CHECK(right.trace() == "made, data 10, eof, lost");
}

TEST_CASE("E7 an end of input that is told while the other end is missing waits for it") {
  recording_protocol left, right;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler);
  memory::connection first = memory::pair(scheduler, borrow(left), std::move(halves.first));
  stream_options options = first.second.options();
  options.report_hangup_while_paused = true;
  first.second.set_options(options);
  first.first.write_eof();
  scheduler.run_until_idle();
  memory::pair(scheduler, borrow(right), std::move(halves.second));
  scheduler.run_until_idle();
  CHECK(right.trace() == "made, eof, lost");
}

TEST_CASE("an end closes when the other one is never made") {
  recording_protocol left;
  std::optional<coupling_report> ended;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler, [&](const coupling_report& report) { ended = report; });
  memory::pair(scheduler, borrow(left), std::move(halves.first));
  halves.second.reset();
  scheduler.run_until_idle();
  CHECK(left.trace() == "made, eof, lost");
  REQUIRE(ended);
  CHECK(ended->second == errc::cancelled);

  coupled_protocols late = make_coupling(scheduler);
  late.second.reset();
  recording_protocol other;
  memory::pair(scheduler, borrow(other), std::move(late.first));
  scheduler.run_until_idle();
  CHECK(other.trace() == "made, eof, lost");
}

TEST_CASE("V1 two connections that live already are joined, with what their protocols had left over") {
  recording_protocol left, right, left_before, right_before;
  manual_scheduler scheduler;
  memory::connection left_link = memory::pair(scheduler, borrow(left), borrow(left_before));
  memory::connection right_link = memory::pair(scheduler, borrow(right), borrow(right_before));
  left_link.first.write("and more");
  const coupling joint = couple(left_link.second, right_link.second, {}, as_bytes("left over "));
  scheduler.run_until_idle();
  CHECK(right.received() == "left over and more");
  CHECK(left_before.trace() == "made");
  joint.abort();
  scheduler.run_until_idle();
  CHECK(left.is_lost());
  CHECK(right.is_lost());
}

TEST_CASE("V1 an end that gets another protocol leaves the coupling, and reads again") {
  site here;
  recording_protocol other;
  here.right_link.link.stall(memory::side::second);
  here.left_end().write(std::string(200'000, 'x'));
  here.settle();
  transport& freed = *here.joint.first();
  REQUIRE(is_held(freed));
  freed.set_protocol(borrow(other));
  here.settle();
  CHECK_FALSE(is_held(freed));
  here.left_end().write("hello");
  here.right_link.link.stall(memory::side::second, false);
  here.settle();
  CHECK(other.received().ends_with("hello"));
  CHECK(here.right.is_lost());
  here.left_end().close();
  here.settle();
}

TEST_CASE("a coupling joins two transports of one scheduler") {
  recording_protocol a, b, c, d, e, f;
  manual_scheduler scheduler, another;
  memory::connection here = memory::pair(scheduler, borrow(a), borrow(b));
  memory::connection there = memory::pair(another, borrow(c), borrow(d));
  CHECK_THROWS_AS(couple(here.first, here.first), std::invalid_argument);
  CHECK_THROWS_AS(couple(here.first, there.first), std::invalid_argument);
  here.first.abort();
  there.first.abort();
  b.on_lost = [&](std::error_code) {
    std::error_code error;
    memory::connection more = memory::pair(scheduler, borrow(e), borrow(f));
    couple(more.first, here.second, error);
    CHECK(error == errc::closed);
    CHECK_THROWS_AS(couple(more.first, here.second), std::system_error);
    more.first.abort();
    more.second.abort();
    scheduler.call_soon([] {});
  };
  here.second.abort();
  there.second.abort();
}

TEST_CASE("L14 a scheduler that is destroyed ends a coupling") {
  recording_protocol left, right;
  std::optional<coupling_report> ended;
  {
    manual_scheduler scheduler;
    scheduler.on_error([](const error_event&) {});
    coupled_protocols halves = make_coupling(scheduler, [&](const coupling_report& report) { ended = report; });
    memory::pair(scheduler, borrow(left), std::move(halves.first));
    memory::pair(scheduler, borrow(right), std::move(halves.second));
  }
  REQUIRE(ended);
  CHECK(ended->first == errc::aborted);
}

TEST_CASE("X3 what the handler of the end throws goes to the error hook") {
  site here;
  std::vector<std::string> reports;
  here.scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  coupled_protocols halves = make_coupling(here.scheduler, [](const coupling_report&) { throw std::runtime_error("no"); });
  halves.first.reset();
  halves.second.reset();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("coupling handler") != std::string::npos);
  here.joint.close();
  here.settle();
}

TEST_CASE("W1 a proxy from TCP to a Unix socket carries every byte in order, through layers, both ways") {
  using namespace socket_kit;
  loop loop;
  const temporary_folder folder;
  const address there = address::unix_path(folder / "echo.sock");
  struct echo final : protocol {
    void connection_made(transport& made) override { out = &made; }
    void data_received(const_bytes data) override { out->write(data); }
    transport* out = nullptr;
  };
  local::server echoes(loop, [] { return std::make_unique<echo>(); });
  echoes.listen(there);
  std::optional<coupling_report> ended;
  tcp::server proxy(loop, [&]() -> protocol_ptr {
    coupled_protocols halves = make_coupling(loop, [&](const coupling_report& report) { ended = report; });
    auto shared = std::make_shared<protocol_ptr>(std::move(halves.second));
    local::connect(loop, there, [shared] { return std::move(*shared); }).detach();
    return std::make_unique<layer>(loop, std::move(halves.first));
  });
  const address at = proxy.listen(address::loopback_v4(0));
  const std::string all = pattern(5'000'000);
  recording_protocol client;
  client.on_made = [&](transport& made) {
    made.write(all);
    made.write_eof();
  };
  client.on_pause = [] { return backpressure::handled; };
  tcp::connect(loop, at, [&] { return borrow(client); }).detach();
  CHECK(run_until(loop, [&] { return ended.has_value() && client.is_lost(); }));
  CHECK(client.received() == all);
  CHECK(ended->forth.bytes == all.size());
  CHECK(ended->back.bytes == all.size());
  CHECK_FALSE(ended->first);
}
