#include <sluice/capture/tap.hpp>

#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/serial.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/testing/simulated_line.hpp>

#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "capture_kit.hpp"

using namespace sluice;
using namespace sluice::capture;
using namespace capture_kit;
using namespace std::chrono_literals;
using testing::manual_scheduler;
using testing::recording_protocol;

namespace {

void end(manual_scheduler& owner) {
  owner.for_each_transport([](transport& each) { each.abort(); });
  owner.run_until_idle();
}

// A protocol behind a tap, and its peer.
struct tapped_link {
  explicit tapped_link(const memory::options& settings = {}, const queue_options& options = from_zero())
      : records(scheduler, options),
        ends(memory::pair(scheduler, std::make_unique<tap>(scheduler, borrow(near), records), borrow(far), settings)),
        number_(std::to_string(near.connection()->id())) {}
  tapped_link(const tapped_link&) = delete;
  tapped_link& operator=(const tapped_link&) = delete;
  ~tapped_link() { end(scheduler); }

  // Without times, and without the number of the connection, which is the same in each.
  lines events() {
    lines found = without_times(drain(records));
    for (std::string& each : found)
      if (each.starts_with(number_ + " ")) each.erase(0, number_.size() + 1);
    return found;
  }

  recording_protocol near, far;
  manual_scheduler scheduler;
  queue records;
  memory::connection ends;

 private:
  std::string number_;
};

struct answering : protocol {
  void connection_made(transport& made) override { made.write("hello"); }
  void data_received(const_bytes) override {}
};

}  // namespace

TEST_CASE("what comes, what is sent and what happens is recorded in order, and passes unchanged") {
  tapped_link link;
  CHECK(link.events() == lines{"connected: memory"});
  link.near.on_eof = [] { return eof::keep_open; };
  link.near.on_data = [&](const_bytes) { link.near.connection()->write("pong"); };
  link.ends.second.write("ping");
  link.scheduler.run_until_idle();
  CHECK(link.events() == lines{"received 4: 70 69 6e 67 |ping|", "sent 4: 70 6f 6e 67 |pong|"});
  CHECK(link.far.received() == "pong");
  link.near.connection()->write_eof();
  link.scheduler.run_until_idle();
  CHECK(link.events() == lines{"output ended", "input ended", "lost"});
  CHECK(link.near.trace() == "made, data 4, eof, lost");
}

TEST_CASE("the number of a connection is the one that the protocol above sees") {
  tapped_link link;
  REQUIRE(link.near.connection() != nullptr);
  const lines found = without_times(drain(link.records));
  CHECK(found == lines{std::to_string(link.near.connection()->id()) + " connected: memory"});
}

TEST_CASE("what was sent in several parts is one record") {
  tapped_link link;
  link.events();
  {
    const auto turn = link.scheduler.cork();
    link.near.connection()->write("one, ");
    link.near.connection()->write("two, ");
    link.near.connection()->write("three");
  }
  CHECK(link.events() == lines{"sent 15: 6f 6e 65 2c 20 74 77 6f 2c 20 74 68 72 65 65 |one, two, three|"});
}

TEST_CASE("pauses of both directions are told, those of writing behind the bytes that led to them") {
  tapped_link link({.capacity = 1000, .window = 1000});
  link.near.on_pause = [] { return backpressure::handled; };
  link.events();
  link.near.connection()->pause_reading();
  link.near.connection()->resume_reading();
  CHECK(link.events() == lines{"reading paused", "reading resumed"});

  link.far.connection()->pause_reading();
  link.ends.first.set_write_buffer_limits({.high = 100, .low = 50});
  {
    const auto turn = link.scheduler.cork();
    link.near.connection()->write(std::string(30'000, 'x'));  // too much to be collected: it is sent inside this call
  }
  link.scheduler.run_until_idle();
  lines found = link.events();
  REQUIRE(found.size() == 2);
  CHECK(found[0].starts_with("sent 30000:"));
  CHECK(found[1] == "writing paused");
  link.far.connection()->resume_reading();
  link.scheduler.run_until_idle();
  CHECK(link.events() == lines{"writing resumed"});
}

TEST_CASE("the end of input or of the connection is no pause of reading") {
  tapped_link link;
  link.events();
  link.ends.second.write_eof();
  link.scheduler.run_until_idle();
  CHECK(link.events() == lines{"input ended", "lost"});
}

TEST_CASE("a lost connection is told with its reason") {
  tapped_link link;
  link.events();
  link.ends.link.reset();
  link.scheduler.run_until_idle();
  REQUIRE(link.near.is_lost());
  CHECK(link.events() == lines{"lost: " + describe(link.near.lost_reason())});
}

TEST_CASE("a tap that is taken out of the stack tells that it hears no more") {
  recording_protocol next;
  tapped_link link;
  link.events();
  CHECK(!link.ends.first.set_protocol(borrow(next)));
  link.scheduler.run_until_idle();
  CHECK(link.events() == lines{"lost: " + describe(make_error_code(sluice::errc::cancelled))});
  link.ends.second.write("not recorded");
  link.scheduler.run_until_idle();
  CHECK(next.received() == "not recorded");
  CHECK(link.events() == lines{});
}

TEST_CASE("a tap can be put into a connection that is open") {
  recording_protocol first, next, far;
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  const auto ends = memory::pair(scheduler, borrow(first), borrow(far));
  ends.second.write("before");
  scheduler.run_until_idle();
  CHECK(!ends.first.upgrade(std::make_unique<tap>(scheduler, records), borrow(next)));
  scheduler.run_until_idle();
  ends.second.write("after");
  scheduler.run_until_idle();
  const std::string number = std::to_string(next.connection()->id());
  CHECK(without_times(drain(records)) == lines{number + " connected: memory", number + " received 5: 61 66 74 65 72 |after|"});
  CHECK(next.received() == "after");
  end(scheduler);
}

TEST_CASE("a protocol that writes when it is made is recorded behind the beginning") {
  recording_protocol far;
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  auto layer = std::make_unique<tap>(scheduler, std::make_unique<answering>(), records);
  memory::pair(scheduler, std::move(layer), borrow(far));
  scheduler.run_until_idle();
  const lines found = without_times(drain(records));
  REQUIRE(found.size() == 2);
  CHECK(found[1].ends_with("sent 5: 68 65 6c 6c 6f |hello|"));
  CHECK(far.received() == "hello");
  end(scheduler);
}

TEST_CASE("a queue without room takes nothing away from the connection") {
  queue_options options = from_zero();
  options.capacity = 4096;
  tapped_link link({}, options);
  const std::string data(100'000, 'x');
  link.ends.second.write(data);
  link.scheduler.run_until_idle();
  CHECK(link.near.received() == data);
  CHECK(link.records.counters().full.bytes > 0);
  CHECK(link.records.counters().full.bytes + link.records.counters().bytes == data.size());
}

TEST_CASE("what others see of the connection can be told through it") {
  tapped_link link;
  link.events();
  tap* const found = find_tap(*link.near.connection());
  REQUIRE(found != nullptr);
  CHECK(find_tap(link.ends.first) == nullptr);
  found->note(event::line_break);
  found->note(event::parity_error, as_bytes("a"));
  found->note(event::other, {}, "the operator came");
  found->set_lines(line::clear_to_send | line::carrier);
  link.ends.second.write("b");
  link.scheduler.run_until_idle();
  CHECK(link.events() ==
        lines{"break", "parity error 1: 61 |a|", "other: the operator came", "lines changed [CTS DCD]", "received 1: 62 |b| [CTS DCD]"});
}

TEST_CASE("on a serial line damaged characters, breaks and modem lines have their places among the bytes") {
  recording_protocol near, far;
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  testing::simulated_line cable(scheduler);
  testing::simulated_port& here = cable.add();
  testing::simulated_port& there = cable.add();
  near.on_made = [&](transport& made) {
    tap* const found = find_tap(made);
    const serial::line_control line = serial::control(made);
    line.on_input_errors([found](const serial::input_error& error) {
      const bool is_break = error.what == serial::line_error::line_break;
      found->note(is_break ? event::line_break : event::parity_error, {&error.character, is_break ? std::size_t{0} : std::size_t{1}});
    });
    line.on_lines([found](const serial::lines_changed& told) {
      found->set_lines(told.now.cts ? static_cast<std::uint8_t>(line::clear_to_send) : 0);
    });
  };
  serial::options settings;
  settings.line.parity = serial::parity::even;
  settings.line.mark_errors = true;
  const auto tapped = [&] { return std::make_unique<tap>(scheduler, borrow(near), records); };
  serial::open(scheduler, here.device(), tapped, {}, settings).detach();
  serial::open(
      scheduler, there.device(), [&] { return borrow(far); }, {}, settings)
      .detach();
  scheduler.advance(1s);
  drain(records);
  here.damage_next(serial::line_error::parity);
  far.connection()->write("a");
  scheduler.advance(1s);
  far.connection()->write("b");
  serial::control(*far.connection()).send_break(20ms);
  far.connection()->write("c");
  scheduler.advance(1s);
  serial::control(*far.connection()).set_lines(serial::line_level::keep, serial::line_level::off);
  scheduler.advance(1s);
  far.connection()->write("d");
  scheduler.advance(1s);
  here.unplug();
  scheduler.advance(1s);
  lines found = without_times(drain(records));
  for (std::string& each : found) each.erase(0, each.find(' ') + 1);
  CHECK(found == lines{"parity error 1: 61 |a| [CTS]", "received 1: 62 |b| [CTS]", "break [CTS]", "received 1: 63 |c| [CTS]",
                       "lines changed []", "received 1: 64 |d|", "lost: serial:1 the device is gone"});
  end(scheduler);
}

TEST_CASE("a tap needs every byte if the protocol above does") {
  struct picky final : protocol {
    void data_received(const_bytes) override {}
    bool needs_every_byte() const noexcept override { return true; }
  };
  recording_protocol near, far;
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  CHECK(tap(scheduler, std::make_unique<picky>(), records).needs_every_byte());
  CHECK(!tap(scheduler, std::make_unique<answering>(), records).needs_every_byte());
  CHECK(tap(scheduler, records).needs_every_byte());
  auto layer = std::make_unique<tap>(scheduler, borrow(near), records);
  const tap& made = *layer;
  memory::pair(scheduler, std::move(layer), borrow(far));
  CHECK(!made.needs_every_byte());
  end(scheduler);
}
