#pragma once

#include <string>

#include <doctest/doctest.h>
#include <sluice/datagram_transport.hpp>
#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/testing/recording_datagram_protocol.hpp>

#include "socket_kit.hpp"

// One datagram transport of a loop, in front of plain sockets.
struct datagram_site {
  datagram_site() {
    scheduler.on_error([](const sluice::error_event& event) { FAIL_CHECK(describe(event)); });
  }
  ~datagram_site() {
    scheduler.for_each_datagram_transport([](sluice::datagram_transport& each) { each.abort(); });
    socket_kit::run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }
  bool wait_received(std::size_t n) {
    return socket_kit::run_until(scheduler, [this, n] { return end.received().size() >= n; });
  }
  bool wait_errors(std::size_t n) {
    return socket_kit::run_until(scheduler, [this, n] { return end.errors() >= n; });
  }
  sluice::address at() { return end.connection()->info<sluice::local_address>()->value; }
  int descriptor() { return end.connection()->info<sluice::native_descriptor>()->value; }

  sluice::testing::recording_datagram_protocol end;
  sluice::testing::recording_datagram_protocol other;
  sluice::loop scheduler;
};
