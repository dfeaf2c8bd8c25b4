#include <sluice/reconnect.hpp>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <chrono>
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

std::string line_of(const reconnect_event& event) {
  std::string line;
  switch (event.what) {
    case reconnect_event::kind::connected: line = "connected"; break;
    case reconnect_event::kind::not_connected: line = "not connected"; break;
    case reconnect_event::kind::lost: line = "lost"; break;
  }
  if (event.error) line += ' ' + std::to_string(event.error.value());
  return line + (event.next ? ", again" : "");
}

// A place to connect to, in memory: a server that can be away.
struct place {
  connecting connect(const protocol_factory& factory, connect_handler done) {
    ++dialled;
    if (throws) throw std::system_error(system_error(ENODEV), "no such thing");
    return connecting(std::make_unique<under_way>(*this, [this, factory, done = std::move(done)] { finish(factory, done); }));
  }
  void finish(const protocol_factory& factory, const connect_handler& done) {
    if (away) return done({system_error(ECONNREFUSED), "connecting to the place: refused"});
    peers.push_back(std::make_unique<recording_protocol>());
    done(memory::pair(scheduler, factory(), borrow(*peers.back())).first);
  }
  struct under_way final : connecting::attempt {
    under_way(place& at, detail::unique_function end) : ends(at.scheduler, std::move(end)) { ends.start(at.takes); }
    bool in_progress() const noexcept override { return ends.is_running(); }
    void detach(std::unique_ptr<attempt>) noexcept override {}
    timer ends;
  };

  reconnector& client(reconnect_options settings = {}) {
    settings.seed = 1;
    settings.on_event = [this](const reconnect_event& event) {
      log.push_back(line_of(event));
      if (on_event) on_event(event);
    };
    const auto factory = [this] {
      mine.push_back(std::make_unique<recording_protocol>());
      if (on_made) on_made(*mine.back());
      return borrow(*mine.back());
    };
    made.emplace(
        scheduler, [this](protocol_factory upper, connect_handler done) { return connect(upper, std::move(done)); }, factory, settings);
    return *made;
  }
  std::string told() {
    std::string all;
    for (const std::string& line : std::exchange(log, {})) all += (all.empty() ? "" : "; ") + line;
    return all;
  }

  std::vector<std::unique_ptr<recording_protocol>> mine, peers;
  std::vector<std::string> log;
  std::function<void(const reconnect_event&)> on_event;
  std::function<void(recording_protocol&)> on_made;  // a new protocol of ours
  int dialled = 0;
  bool away = false;
  bool throws = false;
  duration takes = 1ms;
  manual_scheduler scheduler;
  std::optional<reconnector> made;
};

}  // namespace

TEST_CASE("N10 a reconnector tells of its connection once the protocol has been told") {
  place there;
  there.on_event = [&](const reconnect_event& event) {
    CHECK(there.mine.back()->trace() == "made");
    CHECK(event.attempt == 1);
  };
  reconnector& client = there.client();
  client.start();
  CHECK(there.mine.empty());
  there.scheduler.advance(1ms);
  CHECK(there.told() == "connected");
  REQUIRE(client.connection() != nullptr);
  client.connection()->write("hello");
  there.scheduler.run_until_idle();
  CHECK(there.peers.back()->received() == "hello");
  client.stop();
  there.scheduler.run_until_idle();
  CHECK(there.mine.back()->trace() == "made, lost");
  CHECK(there.log.empty());
}

TEST_CASE("each connection that is lost is followed by another, with a fresh protocol") {
  place there;
  reconnector& client = there.client();
  client.start();
  for (int round = 1; round <= 3; ++round) {
    CHECK(there.scheduler.run_until([&] { return client.connection() != nullptr; }));
    there.scheduler.advance(10s);
    there.peers.back()->connection()->reset();
    there.scheduler.run_until_idle();
    CHECK(client.connection() == nullptr);
    CHECK(there.told() == "connected; lost 104, again");
    CHECK(there.mine.size() == static_cast<std::size_t>(round));
    CHECK(there.mine.back()->is_lost());
  }
  CHECK(client.counters().attempts == 3);
  CHECK(client.counters().losses == 3);
}

TEST_CASE("while the other end is away, attempts follow each other after longer and longer pauses, up to the limit") {
  place there;
  there.away = true;
  std::vector<time_point> began;
  there.on_event = [&](const reconnect_event&) { began.push_back(there.scheduler.now()); };
  reconnector& client = there.client({.pacing = {.attempts = 20}});
  client.start();
  there.scheduler.advance(1h);
  CHECK(there.dialled == 20);
  CHECK(client.state() == reconnect_machine::state::given_up);
  CHECK(there.log.back() == "not connected 111");
  CHECK(there.log.front() == "not connected 111, again");
  CHECK(began.back() - began.front() > 20s);
  there.away = false;
  client.start();
  CHECK(there.scheduler.run_until([&] { return client.connection() != nullptr; }, 1s));
  client.stop();
}

TEST_CASE("a server that accepts and hangs up is not called without pause") {
  place there;
  reconnector& client = there.client({.pacing = {.attempts = 8}});
  there.on_event = [&](const reconnect_event& event) {
    if (event.what == reconnect_event::kind::connected) there.peers.back()->connection()->close();
  };
  client.start();
  there.scheduler.advance(1h);
  CHECK(client.state() == reconnect_machine::state::given_up);
  CHECK(there.dialled == 8);
}

TEST_CASE("an end in good order may be all that was wanted") {
  place there;
  reconnector& client = there.client({.pacing = {.after_orderly_end = reconnect_machine::orderly_end::finish}});
  client.start();
  there.scheduler.advance(1ms);
  there.peers.back()->connection()->close();
  there.scheduler.advance(1h);
  CHECK(there.told() == "connected; lost");
  CHECK(client.state() == reconnect_machine::state::finished);
}

TEST_CASE("a change in the world ends a pause at once") {
  place there;
  there.away = true;
  reconnector& client = there.client({.pacing = {.shortest = 1h, .longest = 2h}});
  client.start();
  there.scheduler.advance(1ms);
  client.retry_now();
  CHECK(there.dialled == 2);
  client.retry_now();  // the device came while the attempt was under way
  there.scheduler.advance(1ms);
  there.away = false;
  there.scheduler.advance(2ms);
  CHECK(client.connection() != nullptr);
  client.retry_now();
  CHECK(there.dialled == 3);
  client.stop();
}

TEST_CASE("N7 stopping ends an attempt, a pause and a connection, and nothing is told any more") {
  place there;
  reconnector& client = there.client({.pacing = {.shortest = 1h, .longest = 1h}});
  client.start();
  client.stop();
  there.scheduler.advance(10h);
  CHECK(there.mine.empty());
  there.away = true;
  client.start();
  there.scheduler.advance(1ms);
  CHECK(there.told() == "not connected 111, again");
  client.stop();
  there.scheduler.advance(10h);
  CHECK(there.dialled == 2);
  there.away = false;
  client.start();
  there.scheduler.advance(1ms);
  there.mine.back()->connection()->write("the last");
  client.stop();
  there.scheduler.advance(10h);
  CHECK(there.told() == "connected");
  CHECK(there.peers.back()->received() == "the last");
  CHECK_FALSE(client.is_active());
}

TEST_CASE("a reconnector that is destroyed leaves its connection alone") {
  place there;
  there.client().start();
  there.scheduler.advance(1ms);
  there.made.reset();
  there.scheduler.advance(1h);
  CHECK(there.mine.back()->trace() == "made");
  there.mine.back()->connection()->close();
  there.scheduler.run_until_idle();
}

TEST_CASE("the observer may stop, and destroy, whom it observes") {
  for (const bool destroy : {false, true}) {
    for (const int at : {1, 2, 3}) {
      place there;
      int count = 0;
      there.on_event = [&](const reconnect_event& event) {
        if (++count == at) destroy ? there.made.reset() : there.made->stop();
        if (event.what == reconnect_event::kind::connected) there.peers.back()->connection()->reset();
        if (event.what == reconnect_event::kind::connected) there.away = true;
      };
      there.client().start();
      there.scheduler.advance(1h);
      CHECK(count == at);
      CHECK(there.mine.size() == 1);
    }
  }
}

TEST_CASE("what the connect function throws is thrown by start, and later is a failed attempt") {
  place there;
  there.throws = true;
  reconnector& client = there.client();
  CHECK_THROWS_AS(client.start(), std::system_error);
  CHECK_FALSE(client.is_active());
  there.throws = false;
  there.away = true;
  client.start();
  there.scheduler.advance(1ms);
  there.throws = true;
  there.scheduler.advance(1s);
  CHECK(client.is_active());
  CHECK(there.log.back() == "not connected 19, again");
  client.stop();
}

TEST_CASE("what the observer throws goes to the error hook") {
  place there;
  std::vector<std::string> reports;
  there.scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  there.on_event = [](const reconnect_event&) { throw std::runtime_error("no"); };
  there.client().start();
  there.scheduler.advance(1ms);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("reconnect observer") != std::string::npos);
  CHECK(there.made->connection() != nullptr);
  there.made->stop();
  there.scheduler.run_until_idle();
}

TEST_CASE("a shutdown stops a reconnector, and its connection ends like any other") {
  for (const bool away : {false, true}) {
    place there;
    there.away = away;
    reconnector& client = there.client();
    client.start();
    there.scheduler.advance(1ms);
    bool done = false;
    shutdown(there.scheduler, 1s, [&](const shutdown_report& report) {
      done = true;
      CHECK(report.aborted.empty());
    });
    there.scheduler.run_until_idle();
    CHECK(done);
    CHECK_FALSE(client.is_active());
    CHECK(there.scheduler.next_timer() >= there.scheduler.now() + 1s);
    CHECK(there.log.size() == 1);
  }
}

TEST_CASE("L14 a scheduler may be destroyed before its reconnectors") {
  auto owner = std::make_unique<manual_scheduler>();
  recording_protocol near, far;
  reconnector client(
      *owner,
      [&](const protocol_factory& factory, const connect_handler& done) {
        owner->call_soon([&, factory, done] { done(memory::pair(*owner, factory(), borrow(far)).first); });
        return connecting();
      },
      [&] { return borrow(near); });
  client.start();
  owner->run_until_idle();
  owner->on_error([](const error_event&) {});
  owner.reset();
  CHECK(near.is_lost());
  CHECK_FALSE(client.is_active());
  CHECK_THROWS_AS(client.start(), std::system_error);
}

TEST_CASE("SL24 what is written over a gap is sent when the connection is back, in order, and what the lost one had taken is not") {
  place there;
  reconnector& client = there.client({.keep = {.most_bytes = 100}});
  CHECK(client.write(as_bytes(std::string("before start"))) == write_status::dropped);
  client.start();
  CHECK(client.write(as_bytes(std::string("early "))) == write_status::accepted);
  CHECK(client.counters().kept.waiting == 6);
  there.scheduler.advance(1ms);
  there.scheduler.run_until_idle();
  CHECK(there.peers[0]->received() == "early ");
  client.write(as_bytes(std::string("direct")));
  there.peers[0]->connection()->abort();
  client.write(as_bytes(std::string("gone")));
  there.scheduler.run_until_idle();
  CHECK(there.mine[0]->is_lost());
  for (const char* text : {"one ", "two ", "three"}) CHECK(client.write(as_bytes(std::string(text))) == write_status::accepted);
  there.on_event = [&](const reconnect_event& event) {
    if (event.what == reconnect_event::kind::connected) client.write(as_bytes(std::string(" four")));
  };
  there.scheduler.advance(1s);
  there.scheduler.run_until_idle();
  CHECK(there.peers[1]->received() == "one two three four");
  CHECK(client.counters().kept.sent == 19);
  CHECK(client.counters().kept.waiting == 0);
  client.stop();
  there.scheduler.run_until_idle();
}

TEST_CASE("SL24 of what is written over a gap only so many bytes are kept, and only so long; every drop is counted with its reason") {
  place there;
  there.away = true;
  reconnector& client = there.client({.pacing = {.shortest = 1ms, .longest = 2ms}, .keep = {.most_bytes = 10, .longest = 50ms}});
  client.start();
  client.write(as_bytes(std::string("too old")));
  there.scheduler.advance(51ms);
  for (const char* text : {"1111", "2222", "33333"}) CHECK(client.write(as_bytes(std::string(text))) == write_status::accepted);
  CHECK(client.write(as_bytes(std::string("more than fits"))) == write_status::dropped);
  there.away = false;
  there.scheduler.advance(20ms);
  there.scheduler.run_until_idle();
  CHECK(there.peers[0]->received() == "222233333");
  const kept_output_counters& kept = client.counters().kept;
  CHECK(kept.dropped_old == 7);
  CHECK(kept.dropped_full == 4 + 14);
  CHECK(kept.sent == 9);
  client.stop();
  there.scheduler.run_until_idle();
}

TEST_CASE("SL24 nothing is kept unless it is asked for, nor when no further connection is tried") {
  place there;
  there.away = true;
  reconnector& careless = there.client();
  careless.start();
  CHECK(careless.write(as_bytes(std::string("x"))) == write_status::dropped);
  careless.stop();
  reconnector& client = there.client({.pacing = {.attempts = 1}, .keep = {.most_bytes = 10}});
  client.start();
  CHECK(client.write(as_bytes(std::string("never"))) == write_status::accepted);
  there.scheduler.advance(1s);
  CHECK(client.state() == reconnect_machine::state::given_up);
  CHECK(client.counters().kept.dropped_at_end == 5);
  CHECK(client.write(as_bytes(std::string("x"))) == write_status::dropped);
}

TEST_CASE("SL24 a protocol that is paused by what was kept may stop, and destroy, the reconnector") {
  for (const bool destroys : {true, false}) {
    place there;
    reconnector& client = there.client({.keep = {.most_bytes = 1'000'000}});
    client.start();
    for (int i = 0; i < 10; ++i) client.write(as_bytes(std::string(100'000, 'x')));
    there.on_made = [&](recording_protocol& mine) {
      mine.on_pause = [&] {
        destroys ? there.made.reset() : client.stop();
        return backpressure::hold_reading;
      };
    };
    there.scheduler.advance(1ms);
    there.scheduler.run_until_idle();
    CHECK(there.told().empty());
    CHECK(there.mine[0]->count("pause") == 1);
    if (destroys) there.mine[0]->connection()->abort();
    there.scheduler.run_until_idle();
  }
}

TEST_CASE("SL24 what a protocol writes when it is paused by what was kept goes behind the rest of it") {
  place there;
  reconnector& client = there.client({.keep = {.most_bytes = 1'000'000}});
  client.start();
  client.write(as_bytes(std::string(500'000, '1')));
  client.write(as_bytes(std::string("2")));
  there.on_made = [&](recording_protocol& mine) {
    mine.on_pause = [&] {
      CHECK(client.write(as_bytes(std::string("3"))) == write_status::accepted);
      return backpressure::hold_reading;
    };
  };
  there.scheduler.advance(1ms);
  there.scheduler.run_until_idle();
  CHECK(there.mine[0]->count("pause") == 1);
  CHECK(there.peers[0]->received() == std::string(500'000, '1') + "23");
  CHECK(client.counters().kept.sent == 500'002);
  client.stop();
  there.scheduler.run_until_idle();
}

TEST_CASE("a TCP client comes back when its server does") {
  loop loop;
  recording_protocol near;
  std::vector<std::string> log;
  auto server = std::make_unique<tcp::server>(loop, [] { return std::make_unique<recording_protocol>(); });
  const address at = server->listen(address::loopback_v4(0));
  std::vector<std::unique_ptr<recording_protocol>> mine;
  reconnector client(loop, "tcp://" + at.to_string(),
                     [&]() -> protocol_ptr {
                       mine.push_back(std::make_unique<recording_protocol>());
                       return borrow(*mine.back());
                     },
                     {.pacing = {.shortest = 1ms, .longest = 2ms}, .on_event = [&](const reconnect_event& event) {
                        log.push_back(line_of(event));
                        if (event.what == reconnect_event::kind::connected && log.size() == 1) {
                          server->abort_clients();
                          server.reset();
                        } else if (event.what == reconnect_event::kind::not_connected && server == nullptr) {
                          CHECK(event.detail.find(at.to_string()) != std::string::npos);
                          server = std::make_unique<tcp::server>(loop, [] { return std::make_unique<recording_protocol>(); });
                          server->listen(at);
                        } else if (event.what == reconnect_event::kind::connected) {
                          client.stop();
                          server->close();
                        }
                      }});
  client.start();
  loop.run();
  REQUIRE(log.size() >= 4);
  CHECK(log.front() == "connected");
  CHECK(log[1].starts_with("lost"));
  CHECK(log.back() == "connected");
  CHECK(mine.size() == 2);
}

TEST_CASE("an endpoint that is wrong is told by start") {
  loop loop;
  reconnector client(loop, "nope://x", [] { return std::make_unique<recording_protocol>(); });
  CHECK_THROWS_AS(client.start(), bad_endpoint);
}
