#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/failure_sweep.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

// Of the some thousand allocations of one connection, OpenSSL's included; a sanitizer keeps malloc to itself and leaves those by `new`.
const std::size_t stride = allocation_counter::available() ? 5 : 1;

struct exchange {
  explicit exchange(const tls::context& serving, const tls::context& asking) {
    loop.on_error([](const error_event&) {});
    server.on_data = [this](const_bytes data) { server.connection()->write(data); };
    client.on_made = [](transport& made) { made.write("hello"); };
    client.on_data = [this](const_bytes) { client.connection()->close(); };
    client.on_lost = [this](std::error_code) { end(); };
    listening.emplace(loop, wrap<tls::layer>(
                                loop, [this] { return borrow(server); }, serving));
    at = listening->listen({"127.0.0.1", 0});
    options.server_name = "localhost";
    options.done = [this](const result<transport&>& outcome) {
      if (!outcome) end();
    };
    context = asking;
  }

  void run(const std::function<void()>& begin = [] {}) {
    patience.start(2s);
    attempt = tcp::connect(loop, at,
                           wrap<tls::layer>(
                               loop, [this] { return borrow(client); }, context, options),
                           [this](const result<transport&>& outcome) {
                             if (!outcome) end();
                           });
    begin();
    loop.run();
  }

  void end() {
    patience.stop();
    listening->close();
    listening->close_clients();
  }

  recording_protocol server;
  recording_protocol client;
  sluice::loop loop;
  std::optional<tcp::server> listening;
  address at;
  tls::connection_options options;
  tls::context context;
  connecting attempt;
  timer patience{loop, [this] {
                   loop.for_each_transport([](transport& open) { open.abort(); });
                   end();
                 }};
};

}  // namespace

TEST_CASE("over a link in memory any one allocation may fail, and each protocol that heard of the connection hears of its end") {
  tls_pair pair;
  pair.client_options.resume = false;
  pair.link_options.latency = 1ms;
  pair.make_contexts();
  std::size_t completed = 0;
  const std::size_t struck = failure_sweep([&](std::size_t n) {
    std::fprintf(stderr, "allocation %zu\n", n * stride);
    pair.disconnect();
    pair.scheduler.on_error([](const error_event&) {});
    pair.server.on_data = [&](const_bytes data) { pair.server.connection()->write(data); };
    pair.client.on_made = [](transport& made) { made.write("hello"); };
    pair.client.on_data = [&](const_bytes) { pair.client.connection()->close(); };
    pair.begin();
    std::optional<allocation_failure> failure(std::in_place, n * stride);
    pair.scheduler.advance(1min);
    const bool has_struck = failure->struck();
    failure.reset();
    CHECK(pair.scheduler.open_transports() == 0);
    if (pair.client.received() == "hello") ++completed;
    return has_struck;
  });
  CHECK(struck > (allocation_counter::available() ? 20 : 5));
  CHECK(completed > 0);
  const tls::context_counters counted = pair.server_context.counters();
  CHECK(counted.begun == counted.done + counted.failed);
}

TEST_CASE("any one allocation may fail, OpenSSL's included, and ends at most the connection") {
  tls_pair pair;
  pair.client_options.resume = false;
  pair.make_contexts();
  { exchange(pair.server_context, pair.client_context).run(); }  // what is made once is there
  std::size_t completed = 0;
  const std::size_t struck = failure_sweep([&](std::size_t n) {
    std::fprintf(stderr, "allocation %zu\n", n * stride);  // the last line of a run that crashes
    exchange one(pair.server_context, pair.client_context);
    std::optional<allocation_failure> failure;
    one.run([&] { failure.emplace(n * stride); });
    const bool has_struck = failure->struck();
    failure.reset();
    CHECK(one.loop.open_transports() == 0);
    if (one.client.received() == "hello") ++completed;
    return has_struck;
  });
  CHECK(struck > 20);
  CHECK(completed > 0);
  const tls::context_counters counted = pair.server_context.counters();
  CHECK(counted.begun == counted.done + counted.failed);
}
