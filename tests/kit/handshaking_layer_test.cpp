#include <sluice/testing/handshaking_layer.hpp>

#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

using ending = handshake_script::ending;

// A recorder on a layer with a script, and at the other end of the link a protocol that sees what the layer sends and answers for it.
struct one_layer {
  explicit one_layer(handshake_script script = {})
      : made(memory::pair(scheduler, std::make_unique<handshaking_layer>(scheduler, borrow(upper), std::move(script)), borrow(peer))) {}

  void run() { scheduler.run_until_idle(); }
  void say(std::string_view text) {
    made.second.write(text);
    run();
  }

  recording_protocol upper, peer;
  manual_scheduler scheduler;
  memory::connection made;
};

}  // namespace

TEST_CASE("the upper protocol is made when the greetings have crossed, and gets what followed the peer's in the same read") {
  one_layer one;
  one.run();
  CHECK(one.peer.received() == "hello\n");
  CHECK(one.upper.events().empty());
  one.say("hello\nfirst words");
  CHECK(one.upper.trace() == "made, data 11");
  CHECK(one.upper.received() == "first words");
  one.upper.connection()->write("answer");
  one.upper.connection()->close();
  one.run();
  CHECK(one.peer.received() == "hello\nanswer");
  CHECK(one.upper.is_lost());
  CHECK(one.peer.trace() == "made, data 12, eof, lost");
}

TEST_CASE("a greeting may come byte by byte") {
  one_layer one;
  for (const char c : std::string("hello\nx")) one.say({&c, 1});
  CHECK(one.upper.trace() == "made, data 1");
  one.made.second.close();
  one.run();
}

TEST_CASE("a layer that greets second waits for the peer") {
  one_layer one({.greeting = "200 ok\n", .greets_second = true});
  one.run();
  CHECK(one.peer.received().empty());
  one.say("hello\n");
  CHECK(one.peer.received() == "200 ok\n");
  CHECK(one.upper.trace() == "made");
  one.made.second.close();
  one.run();
}

TEST_CASE("a layer that expects nothing is established at once") {
  one_layer one({.expected = ""});
  CHECK(one.upper.trace() == "made");
  one.made.second.close();
  one.run();
  CHECK(one.upper.trace() == "made, eof, lost");
}

TEST_CASE("two layers shake hands with each other, and what their protocols write at once follows the greetings") {
  manual_scheduler scheduler;
  recording_protocol client, server;
  client.on_made = [](transport& made) { made.write("ping"); };
  server.on_made = [](transport& made) { made.write("pong"); };
  memory::pair(scheduler, std::make_unique<handshaking_layer>(scheduler, borrow(client)),
               std::make_unique<handshaking_layer>(scheduler, borrow(server), handshake_script{.greets_second = true}), {.max_receive = 1});
  scheduler.run_until_idle();
  CHECK(client.received() == "pong");
  CHECK(server.received() == "ping");
  client.connection()->close();
  scheduler.run_until_idle();
  CHECK(server.trace() == "made, data 4, eof, lost");
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("a handshake that fails in whatever way makes no upper protocol, and tells the peer by the end of the connection") {
  const auto ends_unmade = [](handshake_script script, std::string_view said) {
    one_layer one(std::move(script));
    if (!said.empty()) one.say(said);
    one.scheduler.advance(1min);
    CHECK(one.upper.events().empty());
    CHECK(one.peer.is_lost());
    CHECK(one.scheduler.open_transports() == 0);
    return one.peer.received();
  };
  CHECK(ends_unmade({.end = ending::fail}, "hello\nmore") == "hello\n");
  CHECK(ends_unmade({.end = ending::die}, "") == "hel");
  CHECK(ends_unmade({}, "help") == "hello\n");
  CHECK(ends_unmade({.timeout = 10s}, "hell") == "hello\n");
  CHECK(ends_unmade({.end = ending::hang, .timeout = 10s}, "hello\n") == "hello\n");
}

TEST_CASE("a layer that hangs hangs for ever without a timeout, and the other end can still go") {
  one_layer one({.end = ending::hang});
  one.say("hello\n");
  one.scheduler.advance(24h);
  CHECK(one.peer.trace() == "made, data 6");
  one.made.second.abort();
  one.run();
  CHECK(one.upper.events().empty());
  CHECK(one.scheduler.open_transports() == 0);
}

TEST_CASE("E3 write_eof inside the handshake is remembered: the output ends behind the first words, and input goes on") {
  manual_scheduler scheduler;
  recording_protocol upper, peer;
  peer.on_eof = [] { return eof::keep_open; };
  upper.on_made = [](transport& made) { made.write("first and last"); };
  auto shaking = std::make_unique<handshaking_layer>(scheduler, borrow(upper));
  handshaking_layer& above = *shaking;
  SUBCASE("before it stands on a transport") { CHECK_FALSE(above.write_eof()); }
  auto made = memory::pair(scheduler, std::move(shaking), borrow(peer));
  SUBCASE("twice, and among writes that are dropped") {
    CHECK(above.write("too early") == write_status::dropped);
    CHECK_FALSE(above.write_eof());
    CHECK_FALSE(above.write_eof());
  }
  scheduler.run_until_idle();
  CHECK(peer.trace() == "made, data 6");
  made.second.write("hello\n");
  scheduler.run_until_idle();
  CHECK(peer.trace() == "made, data 20, eof");
  made.second.write("answer");
  made.second.close();
  scheduler.run_until_idle();
  CHECK(upper.trace() == "made, data 6, eof, lost");
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("E3 write_eof inside a handshake that fails ends nothing before it fails") {
  manual_scheduler scheduler;
  recording_protocol upper, peer;
  auto shaking = std::make_unique<handshaking_layer>(scheduler, borrow(upper), handshake_script{.end = ending::hang, .timeout = 1s});
  handshaking_layer& above = *shaking;
  memory::pair(scheduler, std::move(shaking), borrow(peer));
  CHECK_FALSE(above.write_eof());
  scheduler.advance(999ms);
  CHECK(peer.trace() == "made, data 6");
  scheduler.advance(1ms);
  CHECK(upper.events().empty());
  CHECK(peer.is_lost());
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("L4 V5 a protocol that asked for an upgrade is told once how its handshake ended") {
  const auto reason_told = [](handshake_script script, auto&& peer_does) {
    manual_scheduler scheduler;
    recording_protocol plain, secured, peer;
    auto made = memory::pair(scheduler, borrow(plain), borrow(peer));
    made.first.upgrade(std::make_unique<handshaking_layer>(scheduler, std::move(script)), borrow(secured));
    scheduler.run_until_idle();
    peer_does(made.second);
    scheduler.advance(1min);
    CHECK(secured.events().empty());
    CHECK(plain.events().size() == 2);
    CHECK(peer.is_lost());
    return plain.lost_reason();
  };
  const auto nothing = [](transport&) {};
  const auto greets = [](transport& other) { other.write("hello\n"); };
  CHECK(reason_told({.end = ending::fail}, greets) == errc::handshake_failed);
  CHECK(reason_told({}, [](transport& other) { other.write("HELLO\n"); }) == errc::handshake_failed);
  CHECK(reason_told({.end = ending::hang, .timeout = 1s}, greets) == errc::timed_out);
  CHECK(reason_told({}, [](transport& other) { other.close(); }) == errc::truncated);
  CHECK(reason_told({}, [](transport& other) { other.reset(); }) == std::errc::connection_reset);
  CHECK(reason_told({.end = ending::die}, nothing) == errc::aborted);
}

TEST_CASE("V5 an upgrade that succeeds makes the next protocol and tells the old one nothing") {
  manual_scheduler scheduler;
  recording_protocol plain, secured, peer;
  auto made = memory::pair(scheduler, borrow(plain), borrow(peer));
  made.first.write("in the clear ");
  made.first.upgrade(std::make_unique<handshaking_layer>(scheduler), borrow(secured));
  made.second.write("hello\nsecret");
  scheduler.run_until_idle();
  CHECK(plain.trace() == "made");
  CHECK(secured.trace() == "made, data 6");
  secured.connection()->write("answer");
  scheduler.run_until_idle();
  CHECK(peer.received() == "in the clear hello\nanswer");
  made.second.close();
  scheduler.run_until_idle();
  CHECK(secured.trace() == "made, data 6, eof, lost");
  CHECK(plain.trace() == "made");
  CHECK(scheduler.open_transports() == 0);
}
