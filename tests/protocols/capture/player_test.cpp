#include <sluice/capture/player.hpp>

#include <sluice/capture/error.hpp>
#include <sluice/capture/pcapng_encoder.hpp>
#include <sluice/capture/tap.hpp>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <cmath>
#include <memory>
#include <stdexcept>
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

// Made by hand: each record with its time.
class tape {
 public:
  tape() { encoder_.begin(content_); }

  tape& add(std::chrono::nanoseconds at, event what, std::string_view data = {}, std::uint64_t connection = 1, std::string_view note = {}) {
    record each = made(what, data, connection);
    each.time = 1000s + at;
    each.note = note;
    encoder_.append(content_, each);
    return *this;
  }
  const std::string& content() const { return content_; }

 private:
  pcapng_encoder encoder_;
  std::string content_;
};

// Data with the times at which they came.
class watcher : public recording_protocol {
 public:
  explicit watcher(manual_scheduler& owner) {
    on_data = [this, &owner](const_bytes data) {
      heard.push_back(std::to_string(owner.now().time_since_epoch() / 1ms) + " " + std::string(as_text(data)));
    };
  }
  lines heard;
};

tape two_pieces() {
  tape made;
  made.add(0ms, event::connected).add(100ms, event::received, "one").add(150ms, event::sent, "answer").add(400ms, event::received, "two");
  return made;
}

}  // namespace

TEST_CASE("what was received comes again, in its pieces and at its times, and then the end") {
  manual_scheduler scheduler;
  scheduler.advance(5s);
  watcher upper(scheduler);
  const transport& made = play(scheduler, two_pieces().content(), borrow(upper));
  CHECK(made.info<transport_kind>()->value == "capture");
  CHECK(upper.trace() == "made");
  scheduler.advance(1s);
  CHECK(upper.heard == lines{"5100 one", "5400 two"});
  CHECK(upper.trace() == "made, data 6, eof, lost");
}

TEST_CASE("the pace can be another one, and none at all") {
  struct row {
    double speed;
    lines expected;
  };
  for (const row& each : {row{10, {"10 one", "40 two"}}, row{0.5, {"200 one", "800 two"}}, row{0, {"0 one", "0 two"}}}) {
    CAPTURE(each.speed);
    manual_scheduler scheduler;
    watcher upper(scheduler);
    play_options options;
    options.speed = each.speed;
    play(scheduler, two_pieces().content(), borrow(upper), options);
    scheduler.advance(2s);
    CHECK(upper.heard == each.expected);
  }
}

TEST_CASE("while reading is paused nothing comes, and what is late comes at once when it goes on") {
  manual_scheduler scheduler;
  watcher upper(scheduler);
  transport& made = play(scheduler, two_pieces().add(600ms, event::received, "three").content(), borrow(upper));
  made.pause_reading();
  scheduler.advance(500ms);
  CHECK(upper.heard.empty());
  made.resume_reading();
  scheduler.advance(0ms);
  CHECK(upper.heard == lines{"500 one", "500 two"});
  scheduler.advance(200ms);
  CHECK(upper.heard == lines{"500 one", "500 two", "600 three"});
}

TEST_CASE("the other side can be played, and another connection than the first") {
  tape both = two_pieces();
  both.add(500ms, event::received, "of another", 2).add(600ms, event::lost).add(700ms, event::sent, "from another", 2);
  const auto played = [&](const play_options& options) {
    manual_scheduler scheduler;
    watcher upper(scheduler);
    play(scheduler, both.content(), borrow(upper), options);
    scheduler.advance(2s);
    return upper.heard;
  };
  play_options options;
  options.side = recorded_side::self;
  CHECK(played(options) == lines{"150 answer"});
  options.connection = 2;
  CHECK(played(options) == lines{"200 from another"});
  options.side = recorded_side::peer;
  CHECK(played(options) == lines{"0 of another"});
  options.connection = 3;
  CHECK(played(options) == lines{});
}

TEST_CASE("the recorded end of input is one, at its time, and output goes on") {
  manual_scheduler scheduler;
  watcher upper(scheduler);
  upper.on_eof = [&] { return eof::keep_open; };
  play(scheduler, two_pieces().add(900ms, event::input_ended).add(2s, event::lost).content(), borrow(upper));
  scheduler.advance(899ms);
  CHECK(upper.trace() == "made, data 6");
  scheduler.advance(1ms);
  CHECK(upper.trace() == "made, data 6, eof");
  scheduler.advance(5s);
  CHECK(upper.connection()->write("into the void") == write_status::accepted);
  CHECK(!upper.connection()->write_eof());
  upper.connection()->close();
  scheduler.run_until_idle();
  CHECK(upper.trace() == "made, data 6, eof, lost");
}

TEST_CASE("a connection that was lost by an error is lost again, one that ended in good order ends") {
  manual_scheduler scheduler;
  watcher upper(scheduler);
  play(scheduler, two_pieces().add(700ms, event::lost, {}, 1, "uv:104 ECONNRESET").content(), borrow(upper));
  scheduler.advance(1s);
  CHECK(upper.lost_reason() == capture::errc::connection_lost);
  CHECK(upper.heard.size() == 2);
  watcher other(scheduler);
  play(scheduler, two_pieces().add(700ms, event::lost).content(), borrow(other));
  scheduler.advance(1s);
  CHECK(other.trace() == "made, data 6, eof, lost");
}

TEST_CASE("a capture that was cut, or is none, ends the connection behind what could be read") {
  manual_scheduler scheduler;
  std::string cut = two_pieces().content();
  cut.pop_back();
  watcher upper(scheduler);
  play(scheduler, cut, borrow(upper));
  scheduler.advance(1s);
  CHECK(upper.heard == lines{"100 one"});
  CHECK(upper.lost_reason() == capture::errc::capture_cut);

  watcher other(scheduler);
  play_progress seen;
  other.on_lost = [&](std::error_code) { seen = *other.connection()->info<play_progress>(); };
  play(scheduler, "GET / HTTP/1.1", borrow(other));
  scheduler.advance(1s);
  CHECK(other.lost_reason() == capture::errc::not_pcapng);
  CHECK(seen.fault == "the file begins with 47455420; expected 0a0d0d0a, the Section Header Block of pcapng");
}

TEST_CASE("how far it has come is told") {
  manual_scheduler scheduler;
  watcher upper(scheduler);
  const transport& made = play(scheduler, two_pieces().content(), borrow(upper));
  scheduler.advance(200ms);
  const auto progress = made.info<play_progress>();
  REQUIRE(progress);
  CHECK(progress->records == 3);
  CHECK(progress->bytes == 3);
  CHECK(progress->fault.empty());
  upper.connection()->abort();
  scheduler.run_until_idle();
}

TEST_CASE("much at one time is played in turns of 64 KiB") {
  manual_scheduler scheduler;
  tape large;
  const std::string piece(40'000, 'x');
  for (int i = 0; i < 5; ++i) large.add(0ms, event::received, piece);
  recording_protocol upper;
  std::size_t turns = 0;
  play(scheduler, large.content(), borrow(upper));
  const auto before = scheduler.counters().timers_fired;
  scheduler.advance(0ms);
  turns = scheduler.counters().timers_fired - before;
  CHECK(upper.received().size() == 200'000);
  CHECK(turns >= 3);
}

TEST_CASE("what a tap recorded of a conversation makes the same protocol say the same again") {
  // Answers each byte with the next one.
  struct counting final : protocol {
    void connection_made(transport& made) override { at = &made; }
    void data_received(const_bytes data) override {
      for (const std::byte each : data) {
        const std::byte next[] = {static_cast<std::byte>(std::to_integer<unsigned>(each) + 1)};
        at->write(next);
      }
    }
    transport* at = nullptr;
  };
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  recording_protocol far;
  const auto ends = memory::pair(scheduler, std::make_unique<tap>(scheduler, std::make_unique<counting>(), records), borrow(far));
  for (const char* each : {"abc", "x", "12"}) {
    ends.second.write(each);
    scheduler.advance(300ms);
  }
  ends.second.close();
  scheduler.advance(1s);

  std::string content;
  pcapng_encoder encoder;
  encoder.begin(content);
  lines first;
  auto taken = records.take();
  REQUIRE(taken);
  while (const auto each = taken->next()) {
    encoder.append(content, *each);
    if (each->what == event::sent || each->what == event::received) first.push_back(line_of(*each));
  }

  manual_scheduler again;
  queue heard(again, from_zero());
  play(again, content, std::make_unique<tap>(again, std::make_unique<counting>(), heard));
  again.advance(5s);
  lines second;
  taken = heard.take();
  REQUIRE(taken);
  while (const auto each = taken->next())
    if (each->what == event::sent || each->what == event::received) second.push_back(line_of(*each));
  CHECK(without_times(second).size() == 6);
  const auto without_numbers = [](lines of) {
    for (std::string& each : of) each.erase(each.find(' '), each.find(' ', each.find(' ') + 1) - each.find(' '));
    return of;
  };
  CHECK(without_numbers(second) == without_numbers(first));
}

TEST_CASE("what makes no sense is refused") {
  manual_scheduler scheduler;
  recording_protocol upper;
  play_options options;
  options.speed = -1;
  CHECK_THROWS_AS(play(scheduler, "", borrow(upper), options), std::invalid_argument);
  options.speed = std::nan("");
  CHECK_THROWS_AS(play(scheduler, "", borrow(upper), options), std::invalid_argument);
  CHECK_THROWS_AS(play(scheduler, "", nullptr), std::invalid_argument);
}
