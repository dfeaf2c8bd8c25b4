#include "kv_connection.hpp"

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using testing::recording_protocol;

namespace {

// One client and the server, in virtual time.
struct fixture {
  explicit fixture(const memory::options& settings = {}) : made(memory::pair(scheduler, borrow(client), make_connection(), settings)) {}
  ~fixture() {
    if (!client.is_lost()) made.first.abort();
    scheduler.run_until_idle();
  }

  std::unique_ptr<kv_connection> make_connection() { return std::make_unique<kv_connection>(service); }

  std::string ask(std::string_view request) {
    client.forget();
    made.first.write(request);
    made.first.write("\r\n");
    scheduler.run_until_idle();
    return client.received();
  }

  kv_service service;
  recording_protocol client;
  testing::manual_scheduler scheduler;
  memory::connection made;
};

std::string repeated(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all.append(text);
  return all;
}

}  // namespace

TEST_CASE("a key lives for the time that it was given, and SET, DEL and FLUSHALL forget the time") {
  fixture f;
  CHECK(f.ask("set a 1 ex 10") == "+OK\r\n");
  f.scheduler.advance(3400ms);
  CHECK(f.ask("ttl a") == ":7\r\n");
  CHECK(f.ask("pttl a") == ":6600\r\n");
  CHECK(f.ask("incr a") == ":2\r\n");
  f.scheduler.advance(6599ms);
  CHECK(f.ask("get a") == "$1\r\n2\r\n");
  f.scheduler.advance(1ms);
  CHECK(f.ask("get a") == "$-1\r\n");
  CHECK(f.ask("set a 1 px 10") == "+OK\r\n");
  CHECK(f.ask("set a 2") == "+OK\r\n");
  CHECK(f.ask("ttl a") == ":-1\r\n");
  CHECK(f.ask("expire a 1") == ":1\r\n");
  CHECK(f.ask("flushall") == "+OK\r\n");
  CHECK(f.ask("set a 3") == "+OK\r\n");
  f.scheduler.advance(1h);
  CHECK(f.ask("mget a b") == "*2\r\n$1\r\n3\r\n$-1\r\n");
}

TEST_CASE("memory of keys that are due returns without anybody asking for them") {
  fixture f;
  for (int i = 0; i < 100; ++i) f.ask(std::string("set k").append(std::to_string(i)).append(" v px ").append(std::to_string(i + 1)));
  f.ask("set stays 1");
  CHECK(f.service.store.with_deadline() == 100);
  f.service.store.set_time(kv_time(f.scheduler) + 50ms);
  f.service.store.sweep(1000);
  CHECK(f.service.store.size() == 51);
  f.service.store.set_time(kv_time(f.scheduler) + 1s);
  f.service.store.sweep(1000);
  CHECK(f.service.store.size() == 1);
  CHECK(f.service.store.with_deadline() == 0);
}

TEST_CASE("a scan sees every key that is there all the time exactly once, whatever happens to others") {
  kv_store store;
  for (int i = 0; i < 200; ++i) store.at(std::string("stays").append(std::to_string(i)));
  std::size_t cursor = 0;
  int seen = 0;
  int round = 0;
  do {
    cursor = store.scan(cursor, 7, [&](const auto& entry) { seen += entry.key.starts_with("stays") ? 1 : 0; });
    store.at(std::string("comes").append(std::to_string(++round)));
    if (round % 3 == 0) store.erase(std::string("comes").append(std::to_string(round - 1)));
  } while (cursor != 0);
  CHECK(seen == 200);
}

TEST_CASE("SCAN goes through all keys by its cursor and filters them") {
  fixture f;
  for (int i = 0; i < 12; ++i) f.ask(std::string("set k").append(std::to_string(i)).append(" v"));
  CHECK(f.ask("scan 0 count 3") == "*2\r\n$1\r\n3\r\n*3\r\n$2\r\nk0\r\n$2\r\nk1\r\n$2\r\nk2\r\n");
  CHECK(f.ask("scan 3 match k1* count 100") == "*2\r\n$1\r\n0\r\n*2\r\n$3\r\nk10\r\n$3\r\nk11\r\n");
  CHECK(f.ask("scan 99") == "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_CASE("F17 a client that pipelines and never reads is held, and is answered in full once it reads") {
  fixture f;
  f.ask(std::string("set big ").append(20'000, 'x'));
  f.client.forget();
  f.made.first.pause_reading();
  f.made.first.write(repeated("get big\r\n", 1000));
  f.scheduler.run_until_idle();
  CHECK(f.service.requests < 20);
  CHECK(f.made.second.get_write_buffer_size() < 200'000);
  f.made.first.resume_reading();
  f.scheduler.run_until_idle();
  CHECK(f.service.requests == 1001);
  CHECK(f.client.received().size() == 1000 * std::string("$20000\r\n").append(20'000, 'x').append("\r\n").size());
}

TEST_CASE("F13 a single request whose replies pass the hard cap cuts its client off") {
  fixture f;
  f.service.max_unsent = 1 << 20;
  recording_protocol greedy;
  auto link = memory::pair(f.scheduler, borrow(greedy), f.make_connection());
  f.ask(std::string("set big ").append(20'000, 'x'));
  link.first.pause_reading();
  link.first.write(std::string("mget").append(repeated(" big", 100)).append("\r\n"));
  f.scheduler.run_until_idle();
  CHECK(f.service.sessions.size() == 1);
  link.first.resume_reading();
  f.scheduler.run_until_idle();
  CHECK(greedy.is_lost());
  CHECK(greedy.received().size() < 200'000);
  CHECK(f.ask("ping") == "+PONG\r\n");
}

TEST_CASE("an error of the protocol is told in the words of Redis, after the answers before it, and ends the connection") {
  fixture f;
  CHECK(f.ask("ping\r\n*1\r\n:1\r\nping") == "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  CHECK(f.client.is_lost());
  CHECK(f.service.sessions.size() == 0);
}

TEST_CASE("limits on arguments apply to what is sent and to what grows") {
  fixture f;
  f.service.max_bulk = 10;
  recording_protocol client;
  auto link = memory::pair(f.scheduler, borrow(client), f.make_connection());
  link.first.write("set k 12345678\r\nappend k 90\r\nappend k x\r\n*2\r\n$3\r\nget\r\n$11\r\n");
  f.scheduler.run_until_idle();
  CHECK(client.received() ==
        "+OK\r\n:10\r\n-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n-ERR Protocol error: invalid bulk length\r\n");
}

TEST_CASE("a client can kill another one and itself") {
  fixture f;
  recording_protocol other;
  auto link = memory::pair(f.scheduler, borrow(other), f.make_connection());
  CHECK(f.ask("client kill id 2") == ":1\r\n");
  CHECK(other.is_lost());
  CHECK(f.ask("client kill id 1 skipme no") == ":1\r\n");
  CHECK(f.client.is_lost());
}

TEST_CASE("after QUIT nothing is answered") {
  fixture f;
  CHECK(f.ask("quit\r\nset a 1") == "+OK\r\n");
  CHECK(f.service.store.size() == 0);
  CHECK(f.client.is_lost());
}
