// A coupling with an end that cannot be half closed.
#include <sluice/couple.hpp>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/memory.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

class one_way final : public layer {
 public:
  using layer::layer;
  bool can_write_eof() const override { return false; }
};

// Takes what the test lets it take, brings what the test says, and cannot be half closed.
class slow_line final : public stream_transport {
 public:
  explicit slow_line(sluice::scheduler& owner) : stream_transport(owner) {}
  void take(std::size_t n) {
    room_ += n;
    ready_to_send();
  }
  void bring(std::string_view text) { received(as_bytes(text)); }

 private:
  void start_reading() override {}
  void stop_reading() override {}
  send_result send(std::span<const const_bytes> parts) override {
    std::size_t taken = 0;
    for (const const_bytes part : parts) taken += part.size();
    taken = std::min(taken, room_);
    room_ -= taken;
    return taken;
  }
  void send_later(std::span<const const_bytes>) override {}
  progress begin_close(close_kind) override { return progress::done; }
  progress release() override { return progress::done; }

  std::size_t room_ = 0;
};

// left ── [near | far] coupled ── right, where the right end of what is coupled cannot be half closed; or neither can.
struct one_way_site {
  explicit one_way_site(const memory::options& on_the_right = {}, const couple_options& how = {}, bool both = false)
      : halves(make_coupling(
            scheduler, [this](const coupling_report& report) { ended = report; }, how)),
        left_link(memory::pair(scheduler, borrow(left), both ? one_way_half(halves.first) : std::move(halves.first))),
        right_link(memory::pair(scheduler, borrow(right), one_way_half(halves.second), on_the_right)) {}

  protocol_ptr one_way_half(protocol_ptr& half) { return std::make_unique<one_way>(scheduler, std::move(half)); }
  transport& left_end() { return left_link.first; }
  transport& right_end() { return right_link.first; }
  void settle() { scheduler.run_until_idle(); }

  recording_protocol left, right;
  std::optional<coupling_report> ended;
  manual_scheduler scheduler;
  coupled_protocols halves;
  coupling joint = halves.joint;
  memory::connection left_link;
  memory::connection right_link;
};

bool is_held(const transport& source) {
  return (dynamic_cast<const stream_transport&>(source).holds() & static_cast<std::uint8_t>(hold::coupling)) != 0;
}

}  // namespace

TEST_CASE("E5 an end that cannot be half closed is sent everything, and closed when it has been silent for its time") {
  one_way_site here({.capacity = 100});
  const std::string all(50'000, 'x');
  here.left_end().write(all);
  here.left_end().write_eof();
  here.scheduler.advance(999ms);
  CHECK(here.right.received() == all);
  CHECK(here.right.trace() == "made, data 50000");
  here.scheduler.advance(1ms);
  CHECK(here.right.trace() == "made, data 50000, eof, lost");
  CHECK(here.left.trace() == "made, eof, lost");
  REQUIRE(here.ended);
  CHECK_FALSE(here.ended->first);
  CHECK_FALSE(here.ended->second);
}

TEST_CASE("E5 what an end that cannot be half closed has to say yet is delivered, and each word gives it its time anew") {
  one_way_site here;
  here.left_end().write("what is it?");
  here.left_end().write_eof();
  for (int word = 0; word < 3; ++word) {
    here.scheduler.advance(900ms);
    here.right_end().write("an answer, ");
  }
  here.scheduler.advance(900ms);
  CHECK(here.joint.second() != nullptr);
  CHECK(here.left.trace() == "made, data 33");
  here.right_end().close();
  here.settle();
  CHECK(here.left.trace() == "made, data 33, eof, lost");
  CHECK(here.right.is_lost());
  CHECK_FALSE(here.joint.is_open());
  CHECK(here.scheduler.next_timer() == time_point::max());
}

TEST_CASE("E5 an end that cannot be half closed is closed at once where it may not be silent") {
  one_way_site here({}, {.silence_of_second = 0s});
  here.left_end().write("all there is");
  here.left_end().write_eof();
  here.settle();
  CHECK(here.right.trace() == "made, data 12, eof, lost");
  CHECK(here.left.is_lost());
}

TEST_CASE("E5 an end that may be silent for ever is there until it ends") {
  one_way_site here({}, {.silence_of_second = duration::max()});
  here.left_end().write_eof();
  here.scheduler.advance(24h * 365);
  here.right_end().write("at last");
  here.scheduler.advance(24h * 365);
  CHECK(here.left.trace() == "made, data 7");
  here.right_end().close();
  here.settle();
  CHECK(here.left.trace() == "made, data 7, eof, lost");
  CHECK(here.scheduler.next_timer() == time_point::max());
}

TEST_CASE("E5 the silence of an end begins when it has been asked everything") {
  recording_protocol left;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler);
  memory::connection left_link = memory::pair(scheduler, borrow(left), std::move(halves.first));
  auto& line = static_cast<slow_line&>(stream_transport::start(std::make_unique<slow_line>(scheduler), std::move(halves.second)));
  left_link.first.write(std::string(600, '?'));
  left_link.first.write_eof();
  for (int part = 0; part < 6; ++part) {
    scheduler.advance(900ms);
    line.take(100);
  }
  scheduler.advance(999ms);
  line.bring("well");
  scheduler.advance(999ms);
  CHECK(left.trace() == "made, data 4");
  scheduler.advance(1ms);
  CHECK(left.trace() == "made, data 4, eof, lost");
}

TEST_CASE("E5 an end that takes nothing any more is closed, too, and cut off in the end") {
  one_way_site here;
  here.right_link.link.stall(memory::side::second);
  here.left_end().write("is anybody there?");
  here.left_end().write_eof();
  here.scheduler.advance(1s);
  REQUIRE(here.joint.second() != nullptr);
  CHECK(here.joint.second()->is_closing());
  here.scheduler.advance(1min);
  REQUIRE(here.ended);
  CHECK(here.ended->second == errc::timed_out);
  CHECK(here.left.is_lost());
}

TEST_CASE("R12 an end that is held for a slow sink is not silent, and has its time when it is read again") {
  one_way_site here;
  here.joint.first()->set_write_buffer_limits({.high = 10, .low = {}});
  here.left_link.link.stall(memory::side::second);
  here.left_end().write_eof();
  here.right_end().write("a long answer");
  here.settle();
  REQUIRE(is_held(*here.joint.second()));
  here.scheduler.advance(10s + 900ms);
  REQUIRE(here.joint.second() != nullptr);
  here.left_link.link.stall(memory::side::second, false);
  here.scheduler.advance(999ms);
  CHECK(here.left.trace() == "made, data 13");
  here.scheduler.advance(1ms);
  CHECK(here.left.trace() == "made, data 13, eof, lost");
  CHECK(here.right.is_lost());
}

TEST_CASE("R12 an end that the user has paused is not silent") {
  one_way_site here;
  here.joint.second()->pause_reading();
  here.left_end().write_eof();
  here.right_end().write("the answer");
  here.scheduler.advance(10s);
  CHECK(here.left.trace() == "made");
  here.joint.second()->resume_reading();
  here.scheduler.advance(10s);
  CHECK(here.left.trace() == "made, data 10, eof, lost");
  CHECK(here.right.is_lost());
}

TEST_CASE("E5 where neither end can be half closed the end of one is the end of both") {
  one_way_site here({}, {}, true);
  here.left_end().write("all there is");
  here.left_end().write_eof();
  here.settle();
  CHECK(here.right.trace() == "made, data 12, eof, lost");
  CHECK(here.left.is_lost());
}

TEST_CASE("E5 an end that has ended is not waited for, whichever ends first") {
  for (const bool left_first : {true, false}) {
    one_way_site here;
    here.right.on_eof = here.left.on_eof = [] { return eof::keep_open; };
    here.left_link.link.stall(memory::side::second);
    if (left_first) here.left_end().write_eof();
    here.settle();
    here.right_end().write("the answer");
    here.right_end().write_eof();
    here.settle();
    if (!left_first) here.left_end().write_eof();
    here.settle();
    CHECK(here.scheduler.next_timer() > time_point(1s));  // that of closing
    CHECK(here.right.is_lost() != left_first);
    here.left_link.link.stall(memory::side::second, false);
    here.settle();
    CHECK(here.left.trace() == "made, data 10, eof, lost");
    CHECK(here.right.trace() == "made, eof, lost");
  }
}

TEST_CASE("E5 what is written in the turn that brings the end belongs to the question") {
  recording_protocol left, right;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler);
  protocol& first_half = *halves.first;
  memory::pair(scheduler, borrow(left), std::move(halves.first));
  memory::pair(scheduler, borrow(right), std::make_unique<one_way>(scheduler, std::move(halves.second)));
  {
    const cork_guard turn(scheduler);
    first_half.data_received(as_bytes("a question"));
    first_half.eof_received();
  }
  scheduler.advance(999ms);
  CHECK(right.trace() == "made, data 10");
  scheduler.advance(1ms);
  CHECK(right.trace() == "made, data 10, eof, lost");
}

TEST_CASE("a coupling that is aborted, or loses an end, waits for no answer") {
  for (const bool aborted : {true, false}) {
    one_way_site here;
    here.left_end().write_eof();
    here.settle();
    REQUIRE(here.joint.second() != nullptr);
    aborted ? here.joint.abort() : here.left_end().reset();
    here.settle();
    CHECK(here.right.is_lost());
    REQUIRE(here.ended);
    CHECK((aborted ? here.ended->first == errc::aborted : here.ended->first == std::errc::broken_pipe));
    CHECK(here.scheduler.next_timer() == time_point::max());
  }
}

TEST_CASE("E5 an end that is made after the other one's input has ended has its time for an answer") {
  recording_protocol left, right;
  manual_scheduler scheduler;
  coupled_protocols halves = make_coupling(scheduler);
  memory::connection first = memory::pair(scheduler, borrow(left), std::move(halves.first));
  stream_options options = first.second.options();
  options.report_hangup_while_paused = true;
  first.second.set_options(options);
  first.first.write_eof();
  scheduler.advance(10s);
  memory::connection second = memory::pair(scheduler, borrow(right), std::make_unique<one_way>(scheduler, std::move(halves.second)));
  scheduler.advance(900ms);
  second.first.write("hello");
  scheduler.advance(900ms);
  CHECK(left.trace() == "made, data 5");
  scheduler.advance(100ms);
  CHECK(left.trace() == "made, data 5, eof, lost");
  CHECK(right.trace() == "made, eof, lost");
}
