#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include <sluice/error.hpp>
#include <sluice/memory.hpp>

#include "raw_server.hpp"
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
