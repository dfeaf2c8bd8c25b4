#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <functional>

#include <sluice/error.hpp>

#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

// Goodbyes that meet on their way, or do not arrive.

namespace {

// Connects with each version, with and without waiting for the peer's goodbye at either end, over links that are fast and slow.
void run_all(const std::function<void(tls_pair&)>& scenario) {
  for (const tls::protocol_version version : {tls::protocol_version::tls1_2, tls::protocol_version::tls1_3})
    for (const bool server_waits : {false, true})
      for (const bool client_waits : {false, true})
        for (const auto latency : {0ms, 10ms}) {
          CAPTURE(tls::to_string(version));
          CAPTURE(server_waits);
          CAPTURE(client_waits);
          CAPTURE(latency.count());
          tls_pair pair;
          pair.client_options.max_version = version;
          pair.server_options.wait_for_close_notify = server_waits;
          pair.client_options.wait_for_close_notify = client_waits;
          pair.link_options.latency = latency;
          pair.begin();
          pair.scheduler.advance(1s);
          REQUIRE(pair.server.trace() == "made");
          REQUIRE(pair.client.trace() == "made");
          scenario(pair);
        }
}

}  // namespace

TEST_CASE("T4 T6 two ends that close at the same time both end without a reason") {
  run_all([](tls_pair& pair) {
    pair.server.connection()->close();
    pair.client.connection()->close();
    pair.scheduler.advance(1s);
    CHECK(pair.server.trace() == "made, lost");
    CHECK(pair.client.trace() == "made, lost");
    CHECK(pair.scheduler.open_transports() == 0);
    CHECK(pair.scheduler.next_timer() == time_point::max());
  });
}

TEST_CASE("T4 T5 what each end wrote before both closed is sent, and told or dropped, and no reason for an end") {
  run_all([](tls_pair& pair) {
    pair.server.connection()->write("last words");
    pair.client.connection()->write("last words");
    pair.server.connection()->close();
    pair.client.connection()->close();
    pair.scheduler.advance(1s);
    CHECK(pair.server.trace() == "made, lost");
    CHECK(pair.client.trace() == "made, lost");
  });
}

TEST_CASE("T7 two ends that end their output at the same time both hear the end of input, and end without a reason") {
  run_all([](tls_pair& pair) {
    if (!pair.server.connection()->can_write_eof()) return;
    pair.server.connection()->write_eof();
    pair.client.connection()->write_eof();
    pair.scheduler.advance(1s);
    CHECK(pair.server.trace() == "made, eof, lost");
    CHECK(pair.client.trace() == "made, eof, lost");
    CHECK(pair.scheduler.open_transports() == 0);
  });
}

TEST_CASE("T4 a peer that has said goodbye and is gone misses nothing by ours, which does not arrive") {
  run_all([](tls_pair& pair) {
    pair.server.on_eof = [&] {
      pair.made->link.fail_sends(memory::side::first, system_error(EPIPE));
      return eof::close;
    };
    pair.client.connection()->close();
    pair.scheduler.advance(1s);
    CHECK(pair.server.trace() == "made, eof, lost");
  });
}

TEST_CASE("T4 T8 a peer that has said goodbye and is gone misses what was written to it, and that is a reason") {
  run_all([](tls_pair& pair) {
    if (!pair.client.connection()->can_write_eof()) return;
    pair.made->link.stall(memory::side::first);
    pair.server.on_eof = [] { return eof::keep_open; };
    pair.client.connection()->write_eof();
    pair.scheduler.advance(1s);
    pair.server.connection()->write("never heard");
    pair.server.connection()->close();
    pair.made->link.stall(memory::side::first, false);
    pair.made->link.fail_sends(memory::side::first, system_error(EPIPE));
    pair.scheduler.advance(1min);
    CHECK(pair.server.lost_reason() == system_error(EPIPE));
  });
}
