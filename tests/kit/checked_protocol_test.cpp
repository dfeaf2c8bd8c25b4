#include <sluice/testing/checked_protocol.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "null_channel.hpp"

using namespace sluice;
using namespace sluice::testing;

TEST_CASE("a checked protocol passes every callback and every answer on") {
  manual_scheduler scheduler;
  recording_protocol seen;
  seen.on_eof = [] { return eof::keep_open; };
  auto& channel = start_null_channel(scheduler, std::make_unique<checked_protocol>(borrow(seen)));
  channel.received(as_bytes("abc"));
  channel.received_eof();
  channel.shut_down();
  scheduler.run_until_idle();
  CHECK(seen.trace() == "made, data 3, eof, shutting down, lost");
}

TEST_CASE("a checked protocol notices a transport that breaks the grammar") {
  recording_protocol inner;
  inner.oracle().on_violation([](const std::string&) {});
  std::vector<std::string> violations;
  const protocol_factory factory =
      checked([&] { return borrow(inner); }, [&](const std::string& violation) { violations.push_back(violation); });
  const protocol_ptr watched = factory();
  watched->resume_writing();
  watched->connection_lost({});
  CHECK(violations == std::vector<std::string>{"resume_writing was called; L1 before connection_made",
                                               "connection_lost was called; L1 before connection_made"});
}

TEST_CASE("a factory that makes nothing stays one that makes nothing") {
  CHECK(checked([] { return protocol_ptr(); })() == nullptr);
}
