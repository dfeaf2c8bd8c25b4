#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <sluice/error.hpp>
#include <sluice/memory.hpp>

#include "raw_server.hpp"
#include "record_smith.hpp"
#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

// What TLS holds back, on both ways, and how long.

namespace {

// A client of ours in front of a server of OpenSSL's that has sent one of the records of its ticket.
struct half_a_ticket {
  half_a_ticket() : server(pair.authority.issue()) {
    pair.make_contexts();
    pair.client.on_made = [this](transport&) { server.hold(); };
    link = memory::pair(pair.scheduler, borrow(server),
                        std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, pair.client_connection))
               .link;
    pair.run();
    server.send_one();
    pair.run();
    CHECK(pair.client.trace() == "made");
  }
  transport& client() { return *pair.client.connection(); }

  tls_pair pair;
  raw_server server;
  std::optional<memory::link> link;
};

// A server of ours in front of a client that has sent one part of a message of TLS itself.
struct half_a_message {
  explicit half_a_message(bool allow_truncation = false) {
    pair.server_options.allow_truncation = allow_truncation;
    pair.make_contexts();
    made.emplace(memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context),
                              borrow(client)));
    pair.run();
    send(client.message(record_smith::first_part));
    CHECK(pair.server.trace() == "made");
  }
  transport& server() { return *pair.server.connection(); }
  void send(const std::string& records) {
    made->second.write(records);
    pair.run();
  }
  // The rest, data, and the first part of the next one.
  std::string next() {
    std::string all = client.message(record_smith::rest);
    client.use_next_key();
    for (int i = 0; i < 3; ++i) all += client.data(std::string(16'000, 'x'));
    return all + client.message(record_smith::first_part);
  }

  tls_pair pair;
  record_smith client;
  std::optional<memory::connection> made;
};

}  // namespace

TEST_CASE("T10 F9 what is more than one turn sends goes on in the next ones, however much the transport below takes") {
  tls_pair pair;
  pair.link_options.capacity = 8 * 1024 * 1024;
  pair.connect();
  pair.made->link.stall(memory::side::first);
  for (int i = 0; i < 30; ++i) pair.server.connection()->write(std::string(100'000, 'm'));
  pair.server.connection()->close();
  CHECK(pair.server.connection()->get_write_buffer_size() > 2'500'000);
  pair.made->link.stall(memory::side::first, false);
  pair.run();
  CHECK(pair.client.received().size() == 3'000'000);
  CHECK(pair.server.trace() == "made, pause, lost");
}

TEST_CASE("T10 T11 who pauses reading before TLS begins, or in its handshake, holds back no more than the link and one read") {
  for (const bool before : {false, true}) {
    CAPTURE(before);
    tls_pair pair;
    pair.make_contexts();
    recording_protocol asker;
    const auto made =
        memory::pair(pair.scheduler, borrow(asker),
                     std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, pair.client_connection));
    auto between = std::make_unique<tls::layer>(pair.scheduler, pair.server_context, pair.server_connection);
    tls::layer& above = *between;
    if (before) made.first.pause_reading();
    CHECK(!made.first.upgrade(std::move(between), borrow(pair.server)));
    if (!before) above.pause_reading();
    pair.run();
    REQUIRE(pair.server.trace() == "made");
    for (int i = 0; i < 1000; ++i) {
      pair.client.connection()->write(std::string(10'000, 'x'));
      pair.run();
    }
    CHECK(pair.client.count("pause") == 1);
    CHECK(made.first.counters().bytes_received < 200'000);
    CHECK(pair.server.received().empty());
    above.resume_reading();
    pair.run();
    CHECK(pair.server.received().size() == 10'000'000);
  }
}

TEST_CASE("T10 F13 C4 what bounds the output below bounds it above TLS, too") {
  tls_pair pair;
  pair.make_contexts();
  recording_protocol peer;
  auto layer = std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context);
  stream_options options;
  options.max_write_buffer = 100'000;
  options.close_timeout = 2s;
  options.idle_timeout = 1h;
  recording_protocol asker;
  const auto made =
      memory::pair(pair.scheduler, borrow(asker),
                   std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, pair.client_connection));
  made.first.set_options(options);
  CHECK(!made.first.upgrade(std::move(layer), borrow(pair.server)));
  pair.run();
  REQUIRE(pair.server.trace() == "made");
  transport& above = *pair.server.connection();
  CHECK(above.options().max_write_buffer == options.max_write_buffer);
  CHECK(above.options().close_timeout == options.close_timeout);
  CHECK(above.options().idle_timeout == 0ms);
  pair.client.connection()->pause_reading();
  for (int i = 0; i < 100 && !pair.server.is_lost(); ++i) {
    above.write(std::string(10'000, 'x'));
    pair.run();
  }
  CHECK(pair.server.lost_reason() == sluice::errc::buffer_limit);
}

TEST_CASE("T10 what is written while half a message of TLS itself has arrived goes out behind the rest of it") {
  for (const bool paused : {false, true}) {
    CAPTURE(paused);
    half_a_ticket here;
    if (paused) here.client().pause_reading();
    CHECK(here.client().write("request") != write_status::dropped);
    here.pair.run();
    CHECK(here.server.received().empty());
    CHECK(here.client().get_write_buffer_size() == 7);
    here.server.send();
    here.pair.run();
    CHECK(here.server.received() == "request");
    SSL_write(here.server.ssl(), "answer", 6);
    here.server.send();
    here.pair.run();
    CHECK(here.pair.client.received() == (paused ? "" : "answer"));
    here.client().resume_reading();
    here.pair.run();
    CHECK(here.pair.client.received() == "answer");
  }
}

TEST_CASE("T4 T7 the goodbye, too, waits for the rest of a message of TLS itself") {
  for (const bool closes : {false, true}) {
    CAPTURE(closes);
    half_a_ticket here;
    closes ? here.client().close() : static_cast<void>(here.client().write_eof());
    here.pair.run();
    CHECK(!here.server.heard_goodbye());
    CHECK(!here.pair.client.is_lost());
    here.server.send();
    here.pair.run();
    CHECK(here.server.heard_goodbye());
    CHECK(here.pair.client.is_lost() == closes);
    CHECK(here.pair.client.lost_reason() == std::error_code());
  }
}

TEST_CASE(
    "T10 a peer that begins a message of TLS itself before each pause of ours ends does not fill a paused reader, and hears the answer") {
  for (const bool paused_by_user : {true, false}) {
    CAPTURE(paused_by_user);
    half_a_message here;
    if (paused_by_user) here.server().pause_reading();
    here.server().write(paused_by_user ? std::string("answer") : std::string(2'000'000, 'a'));
    here.pair.run();
    const std::uint64_t before = here.made->first.counters().bytes_received;
    for (int i = 0; i < 200 && here.made->second.get_write_buffer_size() < 1'000'000; ++i) here.send(here.next());
    if (paused_by_user) {
      CHECK(here.client.received() == "answer");
      CHECK(here.made->first.counters().bytes_received - before < 200'000);
      CHECK(here.pair.server.received().empty());
    } else {
      CHECK(here.client.received().size() == 2'000'000);
      CHECK(here.pair.server.received().size() == 200 * 48'000);
    }
  }
}

TEST_CASE("T10 a paused program that goes on writing is not filled by half messages either") {
  half_a_message here;
  here.server().pause_reading();
  for (int i = 0; i < 200 && !here.pair.server.is_lost(); ++i) {
    here.server().write("tick");
    here.send(here.next());
  }
  CHECK(here.pair.server.lost_reason() == tls::errc::control_flood);
  CHECK(here.made->first.counters().bytes_received < 1'000'000);
}

TEST_CASE("T4 T6 a rest that never comes is not waited for") {
  using ending = std::function<void(half_a_message&)>;
  const ending garbage = [](half_a_message& here) { here.send("\x17\x03\x03" + std::string{'\0', '\x20'} + std::string(32, 'g')); };
  const ending alert = [](half_a_message& here) { here.send(here.client.fatal_alert()); };
  const ending goodbye = [](half_a_message& here) { here.send(here.client.goodbye()); };
  const ending data = [](half_a_message& here) { here.send(here.client.data("in the middle")); };
  const ending cut = [](half_a_message& here) { here.made->second.write_eof(); };
  for (const ending& then : {garbage, alert, goodbye, data, cut}) {
    for (const bool allow_truncation : {false, true}) {
      {
        half_a_message closing(allow_truncation);
        closing.server().close();
        closing.pair.run();
        CHECK(!closing.pair.server.is_lost());
        then(closing);
        closing.pair.run();
        CHECK(closing.pair.server.is_lost());
      }
      {
        half_a_message writing(allow_truncation);
        writing.server().write("answer");
        writing.pair.run();
        then(writing);
        writing.pair.run();
        CHECK(writing.pair.server.is_lost());
        CHECK(writing.pair.server.lost_reason());
      }
      {
        half_a_message ending_output(allow_truncation);
        ending_output.server().write_eof();
        ending_output.pair.run();
        then(ending_output);
        ending_output.pair.run();
        CHECK(ending_output.pair.server.is_lost());
      }
    }
  }
}

TEST_CASE("T4 with the rest the goodbye goes out, also where the peer's came right behind") {
  half_a_message here;
  here.server().close();
  here.pair.run();
  std::string last = here.client.message(record_smith::rest);
  here.client.use_next_key();
  here.send(last + here.client.goodbye());
  CHECK(here.client.heard_goodbye());
  CHECK(here.pair.server.lost_reason() == std::error_code());
}

TEST_CASE("C4 the rest of a message of TLS itself is waited for no longer than a close may take") {
  half_a_ticket here;
  here.client().write("request");
  here.client().close();
  here.pair.scheduler.advance(29s);
  CHECK(!here.pair.client.is_lost());
  here.pair.scheduler.advance(2s);
  CHECK(here.pair.client.lost_reason() == sluice::errc::timed_out);
}

TEST_CASE("T4 a peer that says no goodbye in its time is not waited for below either") {
  tls_pair pair;
  pair.client_options.wait_for_close_notify = true;
  pair.client_options.shutdown_timeout = 1s;
  pair.connect();
  pair.made->link.stall(memory::side::second);
  pair.server.connection()->pause_reading();
  pair.client.connection()->write(std::string(50'000, 'x'));
  pair.run();
  pair.made->link.stall(memory::side::second, false);
  pair.run();
  pair.made->link.stall(memory::side::second);
  pair.client.connection()->close();
  pair.scheduler.advance(2s);
  CHECK(pair.client.lost_reason() == sluice::errc::timed_out);
  CHECK(!pair.made->link.is_open(memory::side::second));
}
