#include "counter.hpp"

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace std::chrono_literals;

namespace {

// The protocol at one end of a link in memory, a client that writes down what happens at the other, and a clock that we move.
struct conversation {
  explicit conversation(const sluice::memory::options& settings = {})
      : made(sluice::memory::pair(scheduler, std::make_unique<counter>(total), sluice::borrow(client), settings)) {}
  ~conversation() {
    sluice::shutdown(scheduler, 1s);
    scheduler.advance(1s);
  }

  const std::string& send(std::string_view text) {
    made.second.write(text);
    scheduler.run_until_idle();
    return client.received();
  }

  std::int64_t total = 0;
  sluice::testing::recording_protocol client;
  sluice::testing::manual_scheduler scheduler;
  sluice::memory::connection made;
};

}  // namespace

TEST_CASE("it adds, tells and says goodbye") {
  conversation talk;
  CHECK(talk.send("add 5\nadd -2\nget\nquit\nget\n") == "5\n3\n3\nbye\n");
  CHECK(talk.client.is_lost());
}

TEST_CASE("it answers the same however the bytes are cut") {
  sluice::memory::options one_byte_at_a_time;
  one_byte_at_a_time.max_receive = 1;
  conversation talk(one_byte_at_a_time);
  CHECK(talk.send("add 5\r\nadd x\nget\n") == "5\nerror: not a number\n5\n");
}

TEST_CASE("a line without end is refused") {
  conversation talk;
  CHECK(talk.send(std::string(101, 'x')) == "error: a line has at most 100 bytes\n");
}

TEST_CASE("a client that falls silent is let go") {
  conversation talk;
  sluice::stream_options options;
  options.idle_timeout = 5min;
  talk.made.first.set_options(options);
  talk.send("get\n");
  talk.scheduler.advance(4min);
  CHECK_FALSE(talk.client.is_lost());
  talk.scheduler.advance(2min);
  CHECK(talk.client.is_lost());
}
