#include <sluice/fan_out.hpp>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/memory.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

// A sink that lives longer than its connection.
struct lent_sink final : fan_out::sink {
  using sink::sink;
};

struct client {
  client(manual_scheduler& owner, fan_out& hub, const sink_options& settings, const memory::options& link = {.capacity = 1000})
      : sink(hub, settings), made(memory::pair(owner, borrow(sink), borrow(reader), link)) {}
  void stall(bool on = true) { made.link.stall(memory::side::first, on); }
  const fan_out_counters& counters() const { return sink.counters(); }

  lent_sink sink;
  recording_protocol reader;
  memory::connection made;
};

struct site {
  ~site() {
    scheduler.for_each_transport([](transport& each) { each.abort(); });
    scheduler.run_until_idle();
  }
  client& add(overflow policy, std::size_t most = 4000) { return clients.emplace_back(scheduler, hub, sink_options{policy, most}); }
  void settle() { scheduler.run_until_idle(); }
  // Ten bytes each: "message 3\n".
  void say(int from, int to) {
    for (int i = from; i < to; ++i) {
      hub.write(as_bytes("message " + std::to_string(i % 10) + "\n"));
      settle();
    }
  }

  manual_scheduler scheduler;
  fan_out hub{scheduler};
  std::deque<client> clients;
};

bool is_held(const transport& source) {
  return (dynamic_cast<const stream_transport&>(source).holds() & static_cast<std::uint8_t>(hold::coupling)) != 0;
}

std::uint64_t sum(const fan_out_counters& all) {
  return all.sent.bytes + all.dropped_oldest.bytes + all.dropped_newest.bytes + all.disconnected.bytes + all.left.bytes;
}

}  // namespace

TEST_CASE("each sink gets each message") {
  site here;
  client& first = here.add(overflow::disconnect);
  client& second = here.add(overflow::drop_oldest);
  here.hub.write(as_bytes("hello "));
  here.hub.write(as_bytes("world"));
  here.hub.write({});
  here.settle();
  CHECK(first.reader.received() == "hello world");
  CHECK(second.reader.received() == "hello world");
  CHECK(here.hub.sinks() == 2);
  CHECK(here.hub.counters().sent.bytes == 22);
  CHECK(first.counters().sent == fan_out_counters::tally{2, 11});
}

TEST_CASE("Z6 a sink that takes nothing delays no other, and what waits for it is bounded") {
  for (const overflow policy : {overflow::drop_oldest, overflow::drop_newest, overflow::disconnect}) {
    site here;
    client& stuck = here.add(policy);
    client& good = here.add(policy);
    stuck.stall();
    std::string all;
    for (int i = 0; i < 2000; ++i) {
      here.say(i, i + 1);
      all += "message " + std::to_string(i % 10) + "\n";
      REQUIRE(good.reader.received() == all);
      REQUIRE(stuck.sink.waiting_bytes() <= 4000);
    }
    CHECK(good.counters().sent.messages == 2000);
    stuck.stall(false);
    here.settle();
    CHECK(sum(stuck.counters()) <= all.size());
    CHECK((policy == overflow::disconnect) == stuck.reader.is_lost());
  }
}

TEST_CASE("X9 a message for which there is no memory is dropped alone, and counted; what waits before it and comes after it goes out") {
  site here;
  client& slow = here.add(overflow::drop_oldest, 1'000'000);
  slow.stall();
  const std::string large(700'000, 'x');
  here.hub.write(as_bytes(large));  // above the mark: what follows waits in the sink
  here.settle();
  here.say(0, 3);
  std::size_t dropped = 0;
  std::size_t struck = 0;
  for (std::size_t n = 0;; ++n) {
    const std::uint64_t before = slow.counters().dropped_newest.messages;
    const sluice::testing::allocation_failure failure(n);
    here.hub.write(as_bytes(std::string_view(large).substr(0, 100'000)));
    if (!failure.struck()) break;
    ++struck;
    dropped += slow.counters().dropped_newest.messages - before;
  }
  CHECK(struck > 1);
  CHECK(dropped == struck);
  here.say(3, 4);
  slow.stall(false);
  here.settle();
  const std::string expected = large + "message 0\nmessage 1\nmessage 2\n" + large.substr(0, 100'000) + "message 3\n";
  CHECK((slow.reader.received() == expected));
  CHECK(slow.counters().dropped_newest == fan_out_counters::tally{dropped, 100'000 * dropped});
}

TEST_CASE("drop_oldest keeps the latest messages, whole, behind those that were on their way") {
  site here;
  client& slow = here.add(overflow::drop_oldest);
  slow.stall();
  here.say(0, 1000);
  CHECK(slow.counters().dropped_oldest.bytes == slow.counters().dropped_oldest.messages * 10);
  CHECK(slow.counters().dropped_oldest.messages > 500);
  CHECK(slow.counters().dropped_newest.messages == 0);
  slow.stall(false);
  here.settle();
  const std::string& got = slow.reader.received();
  CHECK(got.size() == 10'000 - slow.counters().dropped_oldest.bytes);
  CHECK(got.ends_with("message 8\nmessage 9\n"));
  CHECK(got.size() % 10 == 0);
  for (std::size_t at = 0; at < got.size(); at += 10) REQUIRE(got.substr(at, 8) == "message ");
}

TEST_CASE("drop_newest keeps the first messages, and takes later ones once there is room") {
  site here;
  client& slow = here.add(overflow::drop_newest);
  slow.stall();
  here.say(0, 1000);
  slow.stall(false);
  here.settle();
  CHECK(slow.reader.received().size() == 10'000 - slow.counters().dropped_newest.bytes);
  CHECK(slow.counters().dropped_newest.messages > 500);
  here.say(7, 8);
  CHECK(slow.reader.received().ends_with("message 9\nmessage 7\n"));
}

TEST_CASE("disconnect aborts the connection, and counts what it cost") {
  site here;
  client& slow = here.add(overflow::disconnect);
  slow.stall();
  here.say(0, 1000);
  CHECK(slow.reader.is_lost());
  CHECK(here.hub.sinks() == 0);
  CHECK(slow.counters().disconnected.messages > 0);
  CHECK(sum(slow.counters()) == here.hub.counters().sent.bytes + here.hub.counters().disconnected.bytes);
}

TEST_CASE("backpressure loses nothing: the source is held until the slowest has caught up") {
  recording_protocol producer;
  site here;
  memory::connection feed = memory::pair(here.scheduler, borrow(producer), here.hub.make_source(), {.capacity = 500});
  producer.on_pause = [] { return backpressure::handled; };
  client& slow = here.add(overflow::backpressure);
  client& good = here.add(overflow::disconnect);
  slow.stall();
  std::string all;
  for (int i = 0; i < 5000; ++i) all += "message " + std::to_string(i % 10) + "\n";
  feed.first.write(all);
  here.settle();
  CHECK(here.hub.is_blocked());
  CHECK(is_held(feed.second));
  CHECK(slow.sink.waiting_bytes() <= 4000 + 500);
  CHECK(good.reader.received().size() < all.size());
  slow.stall(false);
  here.settle();
  CHECK(slow.reader.received() == all);
  CHECK(good.reader.received() == all);
  CHECK_FALSE(here.hub.is_blocked());
  CHECK(here.hub.counters().holds > 0);
}

TEST_CASE("a source is let go when the sink that held it leaves, is lost or is destroyed") {
  for (const int how : {0, 1, 2}) {
    recording_protocol producer;
    site here;
    memory::connection feed = memory::pair(here.scheduler, borrow(producer), here.hub.make_source());
    bool ready = false;
    here.hub.on_ready([&] { ready = true; });
    auto slow = std::make_unique<client>(here.scheduler, here.hub, sink_options{overflow::backpressure, 2000});
    slow->stall();
    feed.first.write(std::string(10'000, 'x'));
    here.settle();
    REQUIRE(is_held(feed.second));
    if (how == 0) slow->sink.leave();
    if (how == 1) slow->made.second.reset();
    if (how == 2) {
      slow->made.first.abort();
      here.settle();
      slow.reset();
    }
    here.settle();
    CHECK_FALSE(is_held(feed.second));
    CHECK(ready);
    if (slow != nullptr) slow->stall(false);
    here.scheduler.for_each_transport([](transport& each) { each.abort(); });
    here.settle();
  }
}

TEST_CASE("a source is let go also when the sink's backlog goes at once, without another pause") {
  recording_protocol producer;
  site here;
  memory::connection feed = memory::pair(here.scheduler, borrow(producer), here.hub.make_source());
  client& slow = here.clients.emplace_back(here.scheduler, here.hub, sink_options{overflow::backpressure, 200}, memory::options{});
  slow.stall();
  for (int i = 0; i < 10 && !here.hub.is_blocked(); ++i) {
    here.hub.write(as_bytes(std::string(90, 'x')));
    here.settle();
  }
  REQUIRE(is_held(feed.second));
  slow.stall(false);
  here.settle();
  CHECK_FALSE(is_held(feed.second));
}

TEST_CASE("a sink whose peer sends no more holds the source no longer") {
  site here;
  client& slow = here.add(overflow::backpressure, 200);
  slow.stall();
  for (int i = 0; i < 20; ++i) here.hub.write(as_bytes(std::string(90, 'x')));
  here.settle();
  REQUIRE(here.hub.is_blocked());
  slow.made.second.write_eof();
  here.settle();
  CHECK_FALSE(here.hub.is_blocked());
  slow.stall(false);
  here.settle();
  CHECK(slow.reader.received().size() == slow.counters().sent.bytes);
}

TEST_CASE("a new source is held at once if the hub is blocked") {
  recording_protocol producer;
  site here;
  client& slow = here.add(overflow::backpressure, 100);
  slow.stall();
  for (int i = 0; i < 30; ++i) here.hub.write(as_bytes(std::string(100, 'x')));
  REQUIRE(here.hub.is_blocked());
  memory::connection feed = memory::pair(here.scheduler, borrow(producer), here.hub.make_source());
  CHECK(is_held(feed.second));
  here.hub.clear_source();
  CHECK_FALSE(is_held(feed.second));
}

TEST_CASE("a message that is larger than the limit has room where nothing waits, and nowhere else") {
  site here;
  client& one = here.add(overflow::drop_newest, 100);
  here.hub.write(as_bytes(std::string(5000, 'x')));
  here.settle();
  CHECK(one.reader.received().size() == 5000);
  one.stall();
  here.hub.write(as_bytes(std::string(5000, 'y')));
  here.hub.write(as_bytes("z"));
  here.settle();
  CHECK(one.counters().dropped_newest == fan_out_counters::tally{1, 1});
}

TEST_CASE("many small messages of one turn are not taken for a sink that does not keep up") {
  site here;
  client& one = here.add(overflow::drop_newest, 100);
  {
    const auto turn = here.scheduler.cork();
    for (int i = 0; i < 50; ++i) here.hub.write(as_bytes("0123456789"));
  }
  here.settle();
  CHECK(one.reader.received().size() == 500);
}

TEST_CASE("F16 one that keeps up gets the bytes of a read without a copy of its own") {
  recording_protocol producer;
  site here;
  memory::connection feed = memory::pair(here.scheduler, borrow(producer), here.hub.make_source());
  client& one = here.add(overflow::disconnect, 100'000);
  const std::uint64_t sends = one.made.first.counters().sends;
  feed.first.write(std::string(900, 'x'));
  here.settle();
  CHECK(one.made.first.counters().sends == sends + 1);
}

TEST_CASE("sinks may join, leave and be closed inside any callback") {
  site here;
  client& first = here.add(overflow::disconnect);
  client& second = here.add(overflow::disconnect);
  client& third = here.add(overflow::disconnect);
  int visited = 0;
  here.hub.for_each_sink([&](fan_out::sink& each) {
    ++visited;
    if (&each == &first.sink) {
      second.sink.leave();
      first.sink.leave();
      here.add(overflow::disconnect);
      here.hub.for_each_sink([&](fan_out::sink& inner) { CHECK(&inner != &second.sink); });
    }
  });
  CHECK(visited == 2);
  CHECK(here.hub.sinks() == 2);
  here.hub.write(as_bytes("now"));
  here.settle();
  CHECK(first.reader.received().empty());
  CHECK(third.reader.received() == "now");
  CHECK(here.clients.back().reader.received() == "now");
  second.sink.leave();
  here.hub.for_each_sink([](fan_out::sink& each) { each.close(); });
  here.settle();
  CHECK(third.reader.is_lost());
}

TEST_CASE("who joins while a message is given out gets the next one, and who leaves gets no more") {
  site here;
  struct joining final : fan_out::sink {
    joining(site& where, fan_out& hub) : sink(hub, {overflow::disconnect, 200}), here(where) {}
    backpressure pause_writing() override {
      if (std::exchange(joined, true)) return sink::pause_writing();
      here.add(overflow::disconnect);
      here.clients.front().sink.leave();
      here.hub.write(as_bytes("misuse"));
      return sink::pause_writing();
    }
    site& here;
    bool joined = false;
  };
  std::vector<std::string> reports;
  here.scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  joining one(here, here.hub);
  recording_protocol reader;
  memory::connection made = memory::pair(here.scheduler, borrow(one), borrow(reader), {.capacity = 10});
  here.add(overflow::disconnect);
  here.hub.write(as_bytes(std::string(20'000, 'x')));
  CHECK(one.joined);
  here.settle();
  REQUIRE(here.clients.size() == 2);
  CHECK(here.clients.back().reader.received().empty());
  CHECK(here.clients.front().reader.received().empty());
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("fan_out::write") != std::string::npos);
  made.first.abort();
  here.settle();
}

TEST_CASE("closing lets each sink have what waits for it") {
  site here;
  client& slow = here.add(overflow::disconnect);
  slow.stall();
  here.say(0, 300);
  here.hub.close_sinks();
  CHECK(here.hub.sinks() == 0);
  here.settle();
  slow.stall(false);
  here.settle();
  CHECK(slow.reader.received().size() == 3000);
  CHECK(slow.reader.is_lost());
  CHECK_FALSE(slow.reader.lost_reason());
}

TEST_CASE("L17 a shutdown closes a sink once it has everything") {
  site here;
  client& slow = here.add(overflow::disconnect);
  slow.stall();
  here.say(0, 300);
  slow.made.first.shut_down();
  here.settle();
  slow.stall(false);
  here.settle();
  CHECK(slow.reader.received().size() == 3000);
}

TEST_CASE("what waits when a connection is lost is counted") {
  site here;
  client& slow = here.add(overflow::disconnect);
  slow.stall();
  here.say(0, 300);
  slow.made.second.reset();
  here.settle();
  CHECK(slow.sink.connection() == nullptr);
  CHECK(slow.counters().left.messages > 0);
  CHECK(sum(slow.counters()) == 3000);
  CHECK(here.hub.counters().left == slow.counters().left);
}

TEST_CASE("V1 a sink that is replaced leaves, and what waited for it is counted") {
  recording_protocol reader, next;
  site here;
  memory::connection made =
      memory::pair(here.scheduler, std::make_unique<fan_out::sink>(here.hub, sink_options{overflow::backpressure, 400}), borrow(reader),
                   {.capacity = 10});
  made.link.stall(memory::side::first);
  here.say(0, 300);
  REQUIRE(here.hub.is_blocked());
  made.first.set_protocol(borrow(next));
  here.settle();
  CHECK(here.hub.sinks() == 0);
  CHECK_FALSE(here.hub.is_blocked());
  CHECK(here.hub.counters().left.messages > 0);
  CHECK(sum(here.hub.counters()) == 3000);
}

TEST_CASE("a hub may go first") {
  manual_scheduler scheduler;
  auto hub = std::make_unique<fan_out>(scheduler);
  recording_protocol producer, reader, late;
  fan_out::sink sink(*hub), unmade(*hub);
  memory::connection feed = memory::pair(scheduler, borrow(producer), hub->make_source());
  memory::connection made = memory::pair(scheduler, borrow(sink), borrow(reader), {.capacity = 10});
  hub->write(as_bytes(std::string(100'000, 'x')));
  hub.reset();
  memory::pair(scheduler, borrow(unmade), borrow(late));
  feed.first.write("into the void");
  scheduler.run_until_idle();
  CHECK(reader.received().size() == 100'000);
  CHECK(late.is_lost());
  sink.leave();
  feed.first.abort();
  made.first.abort();
  scheduler.run_until_idle();
}

TEST_CASE("a limit of nothing is refused") {
  manual_scheduler scheduler;
  fan_out hub(scheduler);
  CHECK_THROWS_AS(fan_out::sink(hub, {.most_bytes = 0}), std::invalid_argument);
}
