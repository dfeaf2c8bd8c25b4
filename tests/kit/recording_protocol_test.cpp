#include <sluice/testing/recording_protocol.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/testing/manual_scheduler.hpp>

#include "null_channel.hpp"

using namespace sluice;
using namespace sluice::testing;

using lines = std::vector<std::string>;

TEST_CASE("a recording protocol writes one line for each callback, in order") {
  manual_scheduler scheduler;
  recording_protocol seen;
  auto& channel = start_null_channel(scheduler, borrow(seen));
  channel.received(as_bytes("hello"));
  channel.shut_down();
  scheduler.run_until_idle();
  CHECK(seen.events() == lines{"made", "data 5", "shutting down", "lost"});
  CHECK(seen.received() == "hello");
  CHECK(seen.is_lost());
  CHECK(seen.connection() == nullptr);
}

TEST_CASE("a trace does not depend on how the bytes were cut") {
  manual_scheduler scheduler;
  recording_protocol whole, cut;
  auto& one = start_null_channel(scheduler, borrow(whole));
  auto& other = start_null_channel(scheduler, borrow(cut));
  one.received(as_bytes("hello world"));
  one.received_eof();
  other.received(as_bytes("hello"));
  other.received(as_bytes(" world"));
  other.received_eof();
  scheduler.run_until_idle();
  CHECK(whole.trace() == "made, data 11, eof, lost");
  CHECK(cut.trace() == whole.trace());
  CHECK(cut.events() != whole.events());
  CHECK(cut.count("data 5") == 1);
}

TEST_CASE("reactions run inside their callback, and their answers count") {
  manual_scheduler scheduler;
  recording_protocol seen;
  seen.on_made = [&](transport& made) { CHECK(&made == seen.connection()); };
  seen.on_data = [&](const_bytes data) { seen.note("reacting to " + std::string(as_text(data))); };
  seen.on_eof = [] { return eof::keep_open; };
  seen.on_lost = [&](std::error_code reason) {
    CHECK(reason == errc::aborted);
    CHECK(seen.connection()->is_closing());
  };
  auto& channel = start_null_channel(scheduler, borrow(seen));
  channel.received(as_bytes("x"));
  channel.received_eof();
  scheduler.run_until_idle();
  CHECK(seen.events() == lines{"made", "data 1", "reacting to x", "eof"});
  seen.connection()->abort();
  scheduler.run_until_idle();
  CHECK(seen.events().back() == lost_line(errc::aborted));
  CHECK(lost_line(errc::aborted) == "lost sluice:1");
  CHECK(seen.lost_reason() == errc::aborted);
}

TEST_CASE("what a reaction throws goes on to the engine") {
  manual_scheduler scheduler;
  std::string reported;
  scheduler.on_error([&](const error_event& event) { reported = event.what; });
  recording_protocol seen;
  seen.on_data = [](const_bytes) { throw std::runtime_error("planted"); };
  auto& channel = start_null_channel(scheduler, borrow(seen));
  channel.received(as_bytes("x"));
  scheduler.run_until_idle();
  CHECK(reported == "data_received");
  CHECK(seen.events() == lines{"made", "data 1", lost_line(errc::protocol_threw)});
}

TEST_CASE("a breach of the contract reaches the handler of the record's oracle") {
  recording_protocol seen;
  lines violations;
  seen.oracle().on_violation([&](const std::string& violation) { violations.push_back(violation); });
  seen.data_received(as_bytes("early"));
  CHECK(violations == lines{"data_received was called; L1 before connection_made"});
}

TEST_CASE("a buffered recorder reads into its own memory, as much at a time as it has") {
  manual_scheduler scheduler;
  recording_buffered_protocol seen;
  seen.buffer_size = 4;
  auto& channel = start_null_channel(scheduler, borrow(seen));
  channel.received(as_bytes("hello world"));
  CHECK(seen.events() == lines{"made", "data 4", "data 4", "data 3"});
  CHECK(seen.buffers_given() == 3);
  CHECK(seen.received() == "hello world");
  channel.close();
  scheduler.run_until_idle();
}

TEST_CASE("a buffered recorder notices a buffer that is filled twice or beyond its end") {
  recording_buffered_protocol seen;
  lines violations;
  manual_scheduler scheduler;
  auto& channel = start_null_channel(scheduler, borrow(seen));
  seen.oracle().on_violation([&](const std::string& violation) { violations.push_back(violation); });
  const mutable_bytes room = seen.get_buffer(0);
  seen.buffer_updated(room.size());
  CHECK(violations.empty());
  seen.buffer_updated(1);
  CHECK(violations.at(0) == "buffer_updated was called; B2 with more bytes than the last get_buffer gave room for");
  channel.abort();
  scheduler.run_until_idle();
}
