#pragma once

#include <sluice/loop.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <sluice/testing/recording_protocol.hpp>

#include "socket_kit.hpp"

namespace socket_kit {

// A loop whose errors are collected, and recorders for the connections of a server, in the order in which they come.
struct server_site {
  server_site() {
    scheduler.on_error([this](const sluice::error_event& event) { errors.push_back(describe(event)); });
  }

  sluice::protocol_factory factory() {
    return [this]() -> sluice::protocol_ptr {
      return sluice::borrow(*ends.emplace_back(std::make_unique<sluice::testing::recording_protocol>()));
    };
  }
  std::size_t made() const {
    std::size_t count = 0;
    for (const auto& each : ends) count += each->count("made");
    return count;
  }
  bool run_until_made(std::size_t count) {
    return run_until(scheduler, [&] { return made() == count; });
  }
  // Until every descriptor is given back.
  bool run_until_closed() {
    return run_until(scheduler, [&] { return scheduler.open_transports() == 0; });
  }
  void end_all() {
    scheduler.for_each_transport([](sluice::transport& each) { each.abort(); });
    run_until_closed();
  }
  // So that what could happen by now has happened.
  void settle() { iterations_during(scheduler, std::chrono::milliseconds(20)); }

  std::vector<std::string> errors;
  std::vector<std::unique_ptr<sluice::testing::recording_protocol>> ends;
  sluice::loop scheduler;
};

}  // namespace socket_kit
