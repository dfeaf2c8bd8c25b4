#include <dlfcn.h>
#include <pthread.h>

#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/tcp.hpp>

#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

// Clients of one server in virtual time, each with a link of its own.
struct crowd {
  explicit crowd(std::size_t limit) {
    pair.server_options.max_handshakes = limit;
    pair.make_contexts();
  }
  ~crowd() {
    pair.scheduler.for_each_transport([](transport& open) { open.abort(); });
    pair.scheduler.advance(2min);
  }

  // A client that is ours, or one whose bytes the test writes.
  recording_protocol& add(bool speaks_tls) {
    recording_protocol& server = servers.emplace_back();
    recording_protocol& client = clients.emplace_back();
    protocol_ptr far = borrow(client);
    if (speaks_tls) far = std::make_unique<tls::layer>(pair.scheduler, std::move(far), pair.client_context, pair.client_connection);
    memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(server), pair.server_context), std::move(far));
    pair.run();
    return client;
  }
  std::size_t made() const {
    return static_cast<std::size_t>(std::ranges::count_if(servers, [](const auto& each) { return each.count("made") == 1; }));
  }

  std::list<recording_protocol> servers;
  std::list<recording_protocol> clients;
  tls_pair pair;
};

const std::string first_byte = "\x16";

// Clients that exchange a message with a server over TCP, one after the other.
struct exchange {
  exchange() {
    loop.on_error([](const error_event&) {});
    pair.server_options.offload_handshakes = true;
    pair.server_options.on_failure = [this](std::uint64_t, std::error_code error, std::string_view) {
      failures.push_back(error);
      check_thread();
    };
    pair.server_options.check_peer = [this](const tls::session&) {
      check_thread();
      return true;
    };
    server.on_data = [this](const_bytes data) { server.connection()->write(data); };
    client.on_made = [](transport& made) { made.write("hello"); };
    client.on_data = [this](const_bytes) { client.connection()->close(); };
    client.on_lost = [this](std::error_code) { end(); };
  }

  void listen(protocol_factory upper) {
    pair.make_contexts();
    listening.emplace(loop, wrap<tls::layer>(loop, std::move(upper), pair.server_context));
    at = listening->listen({"127.0.0.1", 0});
  }
  void run() {
    listen([this] { return borrow(server); });
    tls::connection_options options;
    options.server_name = "localhost";
    options.done = [this](const result<transport&>& outcome) {
      if (!outcome) listening->close();
    };
    attempt = tcp::connect(loop, at,
                           wrap<tls::layer>(
                               loop, [this] { return borrow(client); }, pair.client_context, options));
    loop.run();
  }
  void end() {
    listening->close();
    listening->close_clients();
  }
  void check_thread() {
    ++asked;
    CHECK(std::this_thread::get_id() == thread);
  }
  static auto threads() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
  }

  std::vector<std::error_code> failures;
  std::size_t asked = 0;
  std::thread::id thread = std::this_thread::get_id();
  recording_protocol server;
  recording_protocol client;
  tls_pair pair;
  sluice::loop loop;
  std::optional<tcp::server> listening;
  address at;
  connecting attempt;
};

std::atomic<bool> threads_are_refused = false;

}  // namespace

// Instead of the system's, which is asked while there are to be threads.
extern "C" int pthread_create(pthread_t* made, const pthread_attr_t* how, void* (*run)(void*), void* with) {
  using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto system = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
  return threads_are_refused ? EAGAIN : system(made, how, run, with);
}

TEST_CASE("S15 handshakes beyond the limit wait for their turn, in order, and none is lost") {
  crowd here(1);
  recording_protocol& stalled = here.add(false);
  stalled.connection()->write(first_byte);
  here.pair.run();
  for (int i = 0; i < 3; ++i) here.add(true);
  CHECK(here.made() == 0);
  stalled.connection()->abort();
  here.pair.run();
  CHECK(here.made() == 3);
  CHECK(here.pair.server_context.counters().done == 3);
  CHECK(here.pair.server_context.counters().failed == 1);
  here.add(true);
  CHECK(here.made() == 4);
}

TEST_CASE("clients that say nothing take no place") {
  crowd here(1);
  for (int i = 0; i < 20; ++i) here.add(false);
  here.add(true);
  CHECK(here.made() == 1);
}

TEST_CASE("T1 a client that waits for its turn waits for the handshake timeout at most, and so does the one in front of it") {
  crowd here(1);
  here.add(false).connection()->write(first_byte);
  here.pair.run();
  here.pair.scheduler.advance(6s);
  const recording_protocol& waiting = here.add(true);
  CHECK(here.made() == 0);
  here.pair.scheduler.advance(4s);  // the first one's time is over
  CHECK(here.made() == 1);
  CHECK(!waiting.is_lost());

  crowd there(1);
  for (int i = 0; i < 2; ++i) there.add(false).connection()->write(first_byte);
  there.pair.run();
  there.pair.scheduler.advance(10s);
  CHECK(there.pair.server_context.counters().failed == 2);
  CHECK(there.pair.scheduler.open_transports() == 0);
}

TEST_CASE("a client that leaves while it waits is forgotten, and one that says too much is refused") {
  crowd here(1);
  recording_protocol& stalled = here.add(false);
  stalled.connection()->write(first_byte);
  recording_protocol& leaving = here.add(false);
  leaving.connection()->write(first_byte);
  recording_protocol& loud = here.add(false);
  loud.connection()->write(std::string(20'000, '\x16'));
  here.pair.run();
  CHECK(loud.is_lost());
  leaving.connection()->reset();
  here.pair.run();
  here.add(true);
  CHECK(here.made() == 0);
  stalled.connection()->abort();
  here.pair.run();
  CHECK(here.made() == 1);
}

TEST_CASE("S15 a client that waits for its turn keeps its place, though somebody resumes what is below and reads more of it") {
  crowd here(1);
  recording_protocol& stalled = here.add(false);
  stalled.connection()->write(first_byte);
  here.pair.run();
  recording_protocol& server = here.servers.emplace_back();
  recording_protocol& client = here.clients.emplace_back();
  here.pair.make_contexts();
  const auto made =
      memory::pair(here.pair.scheduler, std::make_unique<tls::layer>(here.pair.scheduler, borrow(server), here.pair.server_context),
                   std::make_unique<tls::layer>(here.pair.scheduler, borrow(client), here.pair.client_context, here.pair.client_connection),
                   {.max_receive = 20});
  for (int i = 0; i < 5; ++i) {
    here.pair.run();
    made.first.resume_reading();
  }
  CHECK(here.made() == 0);
  stalled.connection()->abort();
  here.pair.run();
  CHECK(server.trace() == "made");
  CHECK(here.pair.server_context.counters().begun == 2);
}

TEST_CASE("without a limit none waits") {
  crowd here(0);
  for (int i = 0; i < 20; ++i) here.add(false).connection()->write(first_byte);
  here.add(true);
  CHECK(here.made() == 1);
}

TEST_CASE("handshakes are reckoned on threads of the executor, and callbacks come in the loop's") {
  for (const auto version : {tls::protocol_version::tls1_2, tls::protocol_version::tls1_3}) {
    CAPTURE(to_string(version));
    exchange here;
    here.pair.server_options.max_version = version;
    const auto before = exchange::threads();
    here.server.on_made = [&](transport&) { CHECK(exchange::threads() > before); };
    here.run();
    CHECK(here.client.received() == "hello");
    CHECK(here.server.trace() == "made, data 5, eof, lost");
    CHECK(here.asked == 1);
  }
}

TEST_CASE("T17 a handshake that fails on another thread fails as any other") {
  exchange here;
  here.pair.client_options.servers.ca_pem = certificates::authority("another").certificate();
  here.run();
  REQUIRE(here.failures.size() == 1);
  CHECK(describe(here.failures[0]) == describe(tls::errc::refused_our_certificate));
  CHECK(here.server.events().empty());
}

TEST_CASE("a step of a handshake is done in the loop where no thread can be had") {
  exchange here;
  const struct no_threads {
    no_threads() { threads_are_refused = true; }
    ~no_threads() { threads_are_refused = false; }
  } none;
  here.run();
  CHECK(here.client.received() == "hello");
}

TEST_CASE("T3 a connection may go while its handshake is on another thread, and so may the loop") {
  for (const bool loop_goes : {false, true}) {
    auto here = std::make_unique<exchange>();
    here->listen([] { return std::make_unique<recording_protocol>(); });
    tls::connection_options options;
    options.server_name = "localhost";
    for (int i = 0; i < 8; ++i)
      tcp::connect(here->loop, here->at,
                   wrap<tls::layer>(
                       here->loop, [] { return std::make_unique<recording_protocol>(); }, here->pair.client_context, options))
          .detach();
    timer soon(here->loop, [&] {
      here->listening->close();
      here->loop.for_each_transport([](transport& each) { each.abort(); });
      if (loop_goes) here->loop.stop();
    });
    soon.start(2ms);
    here->loop.run();
    soon.stop();
    if (!loop_goes) CHECK(here->loop.open_transports() == 0);
  }
}

TEST_CASE("on a scheduler that is no loop a handshake is done in its place") {
  tls_pair pair;
  pair.server_options.offload_handshakes = true;
  pair.connect();
  CHECK(pair.server.trace() == "made");
}
