#include <sluice/memory.hpp>

#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/layer.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/failure_sweep.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/transport_ref.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using memory::side;
using sluice::testing::allocation_counter;
using sluice::testing::failure_sweep;
using sluice::testing::lost_line;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

using lines = std::vector<std::string>;

// Two recorders with a link between them.
struct two_ends {
  explicit two_ends(const memory::options& settings = {}) : made(memory::pair(scheduler, borrow(first), borrow(second), settings)) {
    scheduler.on_error([](const error_event& event) { FAIL_CHECK(describe(event)); });
  }

  memory::link& link() { return made.link; }
  void run() { scheduler.run_until_idle(); }
  // Both protocols stay open when the other end is done.
  void keep_open() {
    first.on_eof = second.on_eof = [] { return eof::keep_open; };
  }

  recording_protocol first, second;
  manual_scheduler scheduler;
  memory::connection made;
};

std::string numbered(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

void echo_back(recording_protocol& end) {
  end.on_data = [&end](const_bytes data) { end.connection()->write(data); };
}

stream_options without_linger() {
  stream_options options;
  options.linger = 0ms;
  return options;
}

}  // namespace

TEST_CASE("a pair is made when the call returns, and knows what it is") {
  two_ends ends;
  CHECK(ends.first.events() == lines{"made"});
  CHECK(ends.second.events() == lines{"made"});
  CHECK(ends.first.connection() == &ends.made.first);
  CHECK(ends.made.first.info<transport_kind>()->value == "memory");
  CHECK_FALSE(ends.made.first.info<peer_address>());
  CHECK_FALSE(ends.made.first.info<local_address>());
  CHECK(ends.made.first.can_write_eof());
  ends.made.first.close();
  ends.run();
}

TEST_CASE("what makes no sense is refused with its name") {
  manual_scheduler scheduler;
  recording_protocol end;
  CHECK_THROWS_WITH_AS(memory::pair(scheduler, borrow(end), nullptr), doctest::Contains("protocol is null"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(memory::pair(scheduler, borrow(end), borrow(end), {.capacity = 0}), doctest::Contains("capacity"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(memory::pair(scheduler, borrow(end), borrow(end), {.latency = -1ns}), doctest::Contains("latency"),
                       std::invalid_argument);
  CHECK(scheduler.open_transports() == 0);
  two_ends ends;
  CHECK_THROWS_AS(ends.link().limit_sends(side::first, {0, 0}), std::invalid_argument);
  CHECK_THROWS_AS(ends.link().limit_receives(side::first, {1, 0}), std::invalid_argument);
  CHECK_THROWS_AS(ends.link().set_latency(side::first, -1s), std::invalid_argument);
  ends.made.first.close();
  ends.run();
}

TEST_CASE("M1 a channel never calls up from inside a hook: a ping-pong of two echoes takes one turn for each way") {
  two_ends ends;
  echo_back(ends.first);
  echo_back(ends.second);
  ends.made.first.write("ball");
  CHECK(ends.second.events() == lines{"made"});
  for (int way = 1; way <= 6; ++way) {
    CHECK(ends.scheduler.run_one_batch());
    CHECK(ends.first.received().size() + ends.second.received().size() == 4U * static_cast<unsigned>(way));
  }
  ends.made.first.close();
  ends.run();
}

TEST_CASE("M1 two echoes that are served in one batch of posted functions do not see each other's bytes") {
  manual_scheduler scheduler;
  recording_protocol clients[2], servers[2];
  for (auto& server : servers) echo_back(server);
  auto one = memory::pair(scheduler, borrow(clients[0]), borrow(servers[0]));
  auto two = memory::pair(scheduler, borrow(clients[1]), borrow(servers[1]));
  one.first.write("for the first");
  two.first.write("THE SECOND'S OWN");
  scheduler.run_until_idle();
  CHECK(clients[0].received() == "for the first");
  CHECK(clients[1].received() == "THE SECOND'S OWN");
  one.first.close();
  two.first.close();
  scheduler.run_until_idle();
}

TEST_CASE("M3 the link holds a bounded number of bytes, and the rest waits at the sender") {
  two_ends ends({.capacity = 1000});
  ends.second.on_pause = [] { return backpressure::handled; };
  ends.made.second.pause_reading();
  const std::string text = numbered(100'000);
  CHECK(ends.made.first.write(text) == write_status::above_high_mark);
  ends.run();
  CHECK(ends.link().in_flight(side::first) == 1000);
  CHECK(ends.made.first.get_write_buffer_size() == 99'000);
  CHECK(ends.first.events() == lines{"made", "pause"});
  ends.made.second.resume_reading();
  ends.run();
  CHECK(ends.second.received() == text);
  CHECK(ends.first.events() == lines{"made", "pause", "resume"});
  CHECK(ends.link().in_flight(side::first) == 0);
  ends.made.first.close();
  ends.run();
}

TEST_CASE("M3 short sends and short reads lose nothing and keep the order") {
  two_ends ends({.capacity = 64, .max_send = 7, .max_receive = 5});
  const std::string text = numbered(3000);
  ends.made.first.write(text);
  ends.made.first.write_eof();
  ends.run();
  CHECK(ends.second.received() == text);
  CHECK(ends.second.count("data 5") > 500);
  CHECK(ends.second.trace() == "made, data 3000, eof, lost");
}

TEST_CASE("M3 sends and reads follow their patterns number by number, and a 0 is a send that takes nothing") {
  two_ends ends;
  ends.link().limit_sends(side::first, {3, 0, 1});
  ends.link().limit_receives(side::second, {2, 4});
  ends.made.first.write("0123456789");
  ends.run();
  CHECK(ends.second.received() == "0123456789");
  CHECK(ends.made.first.counters().sends == 7);  // 3 0 1 3 0 1 2
  CHECK(ends.second.events().at(1) == "data 2");
  ends.made.first.close();
  ends.run();
}

TEST_CASE("M3 bytes, ends and resets take their time on the scheduler's clock") {
  two_ends ends({.latency = 10ms});
  ends.keep_open();
  ends.made.first.write("now");
  ends.scheduler.advance(4ms);
  ends.made.first.write("later");
  ends.made.first.write_eof();
  ends.scheduler.advance(6ms - 1ns);
  CHECK(ends.second.trace() == "made");
  ends.scheduler.advance(1ns);
  CHECK(ends.second.received() == "now");
  ends.scheduler.advance(4ms - 1ns);
  CHECK(ends.second.trace() == "made, data 3");
  ends.scheduler.advance(1ns);
  CHECK(ends.second.trace() == "made, data 8, eof");
  ends.made.second.reset();
  ends.scheduler.advance(10ms - 1ns);
  CHECK_FALSE(ends.first.is_lost());
  ends.scheduler.advance(1ns);
  CHECK(ends.first.lost_reason() == std::errc::connection_reset);
}

TEST_CASE("M3 a shorter latency does not let later bytes overtake earlier ones") {
  two_ends ends({.latency = 10ms});
  ends.made.first.write("first ");
  ends.link().set_latency(side::first, 1ms);
  ends.made.first.write("second");
  ends.scheduler.advance(9ms);
  CHECK(ends.second.received().empty());
  ends.scheduler.advance(1ms);
  CHECK(ends.second.received() == "first second");
  ends.made.first.close();
  ends.scheduler.advance(1s);
}

TEST_CASE("M3 one direction ends and the other goes on") {
  two_ends ends;
  ends.keep_open();
  ends.made.first.write("question");
  ends.made.first.write_eof();
  ends.run();
  CHECK(ends.second.trace() == "made, data 8, eof");
  ends.made.second.write("answer");
  ends.run();
  CHECK(ends.first.received() == "answer");
  ends.made.second.close();
  ends.run();
  CHECK(ends.first.trace() == "made, data 6, eof, lost");
  CHECK(ends.second.trace() == "made, data 8, eof, lost");
}

TEST_CASE("M3 a reset comes behind the bytes that arrived before it, to an end that reads") {
  two_ends ends({.max_receive = 4});
  ends.made.first.write("before the reset");
  ends.made.first.flush();
  ends.made.first.reset();
  ends.run();
  CHECK(ends.second.trace() == "made, data 16, " + lost_line(system_error(ECONNRESET)));
  CHECK(ends.first.trace() == "made, " + lost_line(errc::aborted));
}

TEST_CASE("M3 an end that does not read hears of a reset at once, and its unread bytes are gone") {
  two_ends ends;
  ends.made.second.pause_reading();
  ends.made.first.write("unread");
  ends.run();
  ends.made.first.reset();
  ends.run();
  CHECK(ends.second.trace() == "made, " + lost_line(system_error(ECONNRESET)));
}

TEST_CASE("M3 an end that does not read hears of the other's end when it reads again") {
  two_ends ends;
  ends.made.second.pause_reading();
  ends.made.first.write("unread");
  ends.made.first.close();
  ends.run();
  CHECK(ends.second.trace() == "made");
  ends.made.second.resume_reading();
  ends.run();
  CHECK(ends.second.trace() == "made, data 6, eof, lost");
}

TEST_CASE("M3 an abort is an end to the other side, as the end of a process is") {
  two_ends ends;
  ends.made.first.write("sent");
  ends.run();
  ends.made.first.write("dropped");
  ends.made.first.abort();
  ends.run();
  CHECK(ends.second.trace() == "made, data 11, eof, lost");
}

TEST_CASE("M3 the first write to an end that is gone is taken, and answered by a reset") {
  two_ends ends;
  ends.second.on_eof = [] { return eof::keep_open; };
  ends.made.first.abort();
  ends.run();
  CHECK_FALSE(ends.link().is_open(side::first));
  CHECK(ends.second.trace() == "made, eof");
  CHECK(ends.made.second.write("into the void") == write_status::accepted);
  CHECK(ends.second.trace() == "made, eof");
  ends.run();
  CHECK(ends.second.trace() == "made, eof, " + lost_line(system_error(EPIPE)));
}

TEST_CASE("M3 with latency, writes to an end that is gone are taken until the reset is back") {
  two_ends ends({.latency = 10ms});
  ends.second.on_eof = [] { return eof::keep_open; };
  ends.made.first.abort();
  ends.scheduler.advance(10ms);
  CHECK(ends.second.trace() == "made, eof");
  ends.made.second.write("one");
  ends.scheduler.advance(19ms);
  CHECK(ends.made.second.write("two") == write_status::accepted);
  ends.scheduler.advance(1ms);
  CHECK(ends.second.lost_reason() == std::errc::broken_pipe);
}

TEST_CASE("M3 closing with unread input resets the connection and destroys what the other end had no room for") {
  two_ends ends({.capacity = 1000, .window = 400});
  ends.made.first.set_options(without_linger());
  ends.made.first.pause_reading();
  ends.made.second.write("unread");
  ends.made.second.pause_reading();
  ends.made.first.write(numbered(1000));
  ends.run();
  CHECK(ends.link().in_flight(side::first) == 1000);
  ends.made.first.close();
  ends.made.second.resume_reading();
  ends.run();
  CHECK(ends.first.trace() == "made, lost");
  CHECK(ends.second.trace() == "made, data 400, " + lost_line(system_error(ECONNRESET)));
}

TEST_CASE("C6 on a memory link, an end that lingers takes its unread input off and all its output arrives") {
  two_ends ends({.capacity = 1000, .window = 400});
  ends.made.first.pause_reading();
  ends.made.second.write("unread");
  ends.made.second.pause_reading();
  ends.made.first.write(numbered(1000));
  ends.run();
  ends.made.first.close();
  ends.run();
  CHECK(ends.first.trace() == "made, lost");
  CHECK(ends.link().is_open(side::first));
  ends.made.second.resume_reading();
  ends.run();
  CHECK(ends.second.trace() == "made, data 1000, eof, lost");
  CHECK_FALSE(ends.link().is_open(side::first));
}

TEST_CASE("M3 a stalled direction takes nothing until the stall ends, and the other goes on") {
  two_ends ends;
  ends.link().stall(side::first);
  ends.made.first.write("stalled");
  ends.made.second.write("free");
  ends.run();
  CHECK(ends.made.first.get_write_buffer_size() == 7);
  CHECK(ends.second.received().empty());
  CHECK(ends.first.received() == "free");
  ends.link().stall(side::first, false);
  ends.run();
  CHECK(ends.second.received() == "stalled");
  ends.made.first.close();
  ends.run();
}

TEST_CASE("C4 behind a stalled direction, close gives up after its timeout") {
  two_ends ends;
  ends.link().stall(side::first);
  ends.made.first.write("stalled");
  ends.made.first.close();
  ends.scheduler.advance(30s - 1ns);
  CHECK_FALSE(ends.first.is_lost());
  ends.scheduler.advance(1ns);
  CHECK(ends.first.lost_reason() == errc::timed_out);
}

TEST_CASE("M3 nothing passes a link that is cut, and everything arrives when it is mended") {
  two_ends ends({.capacity = 10});
  ends.link().cut();
  ends.made.first.write("0123456789abcdef");
  ends.made.second.close();
  ends.run();
  CHECK(ends.link().in_flight(side::first) == 10);
  CHECK(ends.made.first.get_write_buffer_size() == 6);
  CHECK(ends.first.trace() == "made");
  CHECK(ends.second.trace() == "made, lost");
  ends.scheduler.advance(1s);  // of lingering
  CHECK_FALSE(ends.link().is_open(side::second));
  ends.link().cut(false);
  ends.run();
  CHECK(ends.first.is_lost());
  CHECK(ends.first.lost_reason() == condition::peer_gone);
}

TEST_CASE("M3 a failing send ends the output, and what the other end sent before is still read") {
  two_ends ends;
  ends.link().stall(side::second);
  ends.made.second.write("still on its way");
  ends.run();
  ends.link().fail_sends(side::first, system_error(ETIMEDOUT));
  ends.made.first.write("x");
  CHECK(ends.made.first.is_closing());
  CHECK(ends.made.first.write("y") == write_status::dropped);
  ends.link().stall(side::second, false);
  ends.run();
  CHECK(ends.first.trace() == "made, data 16");
  ends.made.second.close();
  ends.run();
  CHECK(ends.first.trace() == "made, data 16, " + lost_line(system_error(ETIMEDOUT)));
}

TEST_CASE("M3 queued output meets a send that begins to fail") {
  two_ends ends({.capacity = 4});
  ends.made.second.pause_reading();
  ends.made.first.write("too long");
  ends.run();
  ends.made.first.pause_reading();
  ends.link().fail_sends(side::first, system_error(EHOSTUNREACH));
  ends.run();
  CHECK(ends.first.trace() == "made, " + lost_line(system_error(EHOSTUNREACH)));
  ends.made.second.resume_reading();
  ends.run();
  CHECK(ends.second.trace() == "made, data 4, eof, lost");
}

TEST_CASE("M3 one end breaks with the error that the test gave, behind what had arrived") {
  two_ends ends;
  ends.made.second.write("arrived");
  ends.link().fail(side::first, system_error(ETIMEDOUT));
  ends.link().fail(side::first, system_error(ECONNRESET));
  ends.run();
  CHECK(ends.first.trace() == "made, data 7, " + lost_line(system_error(ETIMEDOUT)));
  CHECK(ends.second.trace() == "made, eof, lost");
}

TEST_CASE("M3 a reset from the middle reaches both ends") {
  two_ends ends;
  ends.link().reset();
  ends.run();
  CHECK(ends.first.lost_reason() == std::errc::connection_reset);
  CHECK(ends.second.lost_reason() == std::errc::connection_reset);
}

TEST_CASE("M3 what an end sends before it hears of a reset arrives nowhere, also not behind what the reset destroyed") {
  two_ends ends({.window = 0, .latency = 10ms});
  ends.made.second.write("destroyed");
  ends.link().fail(side::first, system_error(ECONNRESET));
  CHECK(ends.made.second.write("sent into the void") == write_status::accepted);
  ends.scheduler.advance(1min);
  CHECK(ends.first.trace() == "made, " + lost_line(system_error(ECONNRESET)));
  CHECK(ends.second.trace() == "made, eof, lost");
}

TEST_CASE("M3 whichever operation of a connection fails, both ends hear of it once and nothing is left over") {
  const std::size_t failures = failure_sweep([](std::size_t operations) {
    two_ends ends({.max_send = 4, .max_receive = 3});
    echo_back(ends.second);
    ends.link().fail_after(operations, system_error(EIO));
    ends.made.first.write("some bytes");
    ends.made.first.write_eof();
    ends.run();
    for (auto* end : {&ends.first, &ends.second})
      if (end->connection() != nullptr) end->connection()->abort();
    ends.scheduler.advance(1min);
    CHECK(ends.first.is_lost());
    CHECK(ends.second.is_lost());
    CHECK(ends.scheduler.open_transports() == 0);
    if (!ends.link().struck()) CHECK(ends.first.trace() == "made, data 10, eof, lost");
    return ends.link().struck();
  });
  CHECK(failures > 10);
}

TEST_CASE("M3 whichever allocation of a connection fails, both ends hear of its end once and nothing is left over") {
  struct counted_end final : protocol {
    void connection_made(transport& made) override { made_transport = &made; }
    void data_received(const_bytes data) override {
      bytes += data.size();
      if (answers) made_transport->write(data);
    }
    void connection_lost(std::error_code) override { ++lost; }
    transport* made_transport = nullptr;
    std::size_t bytes = 0;
    int lost = 0;
    bool answers = false;
  };
  const std::string message = numbered(200'000);
  std::size_t whole = 0;
  const std::size_t failures = failure_sweep([&](std::size_t n) {
    manual_scheduler scheduler;
    scheduler.on_error([](const error_event&) {});
    counted_end first, second;
    second.answers = true;
    const memory::connection made = memory::pair(scheduler, borrow(first), borrow(second), {.max_send = 3000, .latency = 2ms});
    const testing::allocation_failure failure(n);
    made.first.write(message);
    made.first.write_eof();
    scheduler.advance(1min);
    CHECK(first.lost == 1);
    CHECK(second.lost == 1);
    CHECK(scheduler.open_transports() == 0);
    if (first.bytes == message.size()) ++whole;
    return failure.struck();
  });
  CHECK(failures > 10);
  CHECK(whole > 0);
}

TEST_CASE("M3 a link in its steady state asks nothing of the heap" * doctest::skip(!allocation_counter::available())) {
  class echo final : public protocol {
   public:
    void connection_made(transport& made) override { transport_ = &made; }
    void data_received(const_bytes data) override {
      bytes += data.size();
      if (bytes < limit) transport_->write(data);
    }
    std::size_t bytes = 0;
    std::size_t limit = 0;

   private:
    transport* transport_ = nullptr;
  };
  for (const duration latency : {0ms, 3ms}) {
    for (const std::size_t size : {std::size_t{64}, std::size_t{100'000}}) {
      CAPTURE(size);
      manual_scheduler scheduler;
      echo first, second;
      auto made = memory::pair(scheduler, borrow(first), borrow(second), {.max_send = 40'000, .latency = latency});
      const std::string message = numbered(size);
      const auto exchange = [&](std::size_t messages) {
        first.limit = first.bytes + size * messages;
        second.limit = static_cast<std::size_t>(-1);
        made.first.write(message);
        scheduler.advance(1min);
        CHECK(first.bytes >= first.limit);  // the last answer may have come in pieces
      };
      exchange(50);
      const allocation_counter counter;
      exchange(50);
      CHECK(counter.counts().allocations == 0);
      made.first.close();
      scheduler.advance(1s);
    }
  }
}

TEST_CASE("either end may go first, while functions of the other are still posted") {
  for (const bool first_goes : {true, false}) {
    two_ends ends;
    ends.made.first.write("a");
    ends.made.second.write("b");
    (first_goes ? ends.made.first : ends.made.second).abort();
    ends.run();
    CHECK(ends.first.is_lost());
    CHECK(ends.second.is_lost());
    CHECK(ends.scheduler.open_transports() == 0);
  }
}

TEST_CASE("a protocol may close or reset inside connection_made, on either end") {
  for (const bool hard : {false, true}) {
    manual_scheduler scheduler;
    recording_protocol first, second;
    first.on_made = [&](transport& made) {
      made.write("hello");
      hard ? made.reset() : made.close();
    };
    const auto made = memory::pair(scheduler, borrow(first), borrow(second));
    CHECK(made.first.is_closing());
    scheduler.run_until_idle();
    CHECK(first.is_lost());
    CHECK(second.trace() == (hard ? "made, " + lost_line(system_error(ECONNRESET)) : "made, data 5, eof, lost"));
  }
}

TEST_CASE("L14 a scheduler that ends with a pair open tells both ends, and the handle of the link outlives it") {
  recording_protocol first, second;
  lines errors;
  std::optional<memory::link> handle;
  {
    manual_scheduler scheduler;
    scheduler.on_error([&](const error_event& event) { errors.emplace_back(event.what); });
    auto made = memory::pair(scheduler, borrow(first), borrow(second), {.latency = 1ms});
    made.first.write("on its way");
    handle = made.link;
  }
  CHECK(first.trace() == "made, " + lost_line(errc::aborted));
  CHECK(second.trace() == "made, " + lost_line(errc::aborted));
  CHECK(errors == lines{"open transports: 1 (memory) 2 (memory)"});
  CHECK_FALSE(handle->is_open(side::first));
  handle->stall(side::first);
  handle->cut();
  handle->reset();
  handle->fail_sends(side::second, errc::aborted);
}

TEST_CASE("a layer runs over a memory link as over any other transport") {
  manual_scheduler scheduler;
  recording_protocol client, server;
  echo_back(server);
  auto made =
      memory::pair(scheduler, std::make_unique<layer>(scheduler, borrow(client)), std::make_unique<layer>(scheduler, borrow(server)));
  CHECK(client.connection() != &made.first);
  CHECK(client.connection()->info<transport_kind>()->value == "memory");
  client.connection()->write("through two layers");
  client.connection()->write_eof();
  scheduler.run_until_idle();
  CHECK(client.trace() == "made, data 18, eof, lost");
  CHECK(server.trace() == "made, data 18, eof, lost");
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("M3 the same calls and options make the same run, event by event and nanosecond by nanosecond") {
  const auto run = [] {
    lines diary;
    two_ends ends({.capacity = 333, .max_send = 90, .max_receive = 41, .latency = 250us});
    for (auto* end : {&ends.first, &ends.second}) {
      const char* name = end == &ends.first ? "first" : "second";
      const auto write_down = [&, name](const std::string& what) {
        diary.push_back(std::to_string(ends.scheduler.now().time_since_epoch().count()) + ' ' + name + ' ' + what);
      };
      end->on_data = [&, end, write_down](const_bytes data) {
        write_down("data " + std::to_string(data.size()));
        if (end->received().size() < 4000) end->connection()->write(data);
      };
      end->on_lost = [write_down](std::error_code reason) { write_down(lost_line(reason)); };
    }
    ends.made.first.write(numbered(2000));
    ends.scheduler.advance(20ms);
    ends.made.second.close();
    ends.scheduler.advance(1min);
    return diary;
  };
  const lines diary = run();
  CHECK(diary.size() > 100);
  CHECK(diary == run());
}
