#include <sluice/protocol.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "null_channel.hpp"

using namespace sluice;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_buffered_protocol;
using sluice::testing::recording_protocol;

namespace {

using lines = std::vector<std::string>;

// Says nothing by itself, so that the defaults speak.
class silent : public protocol {
 public:
  explicit silent(bool& gone) : gone_(gone) {}
  ~silent() override { gone_ = true; }
  void data_received(const_bytes) override {}

 private:
  bool& gone_;
};

std::string numbered(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

}  // namespace

TEST_CASE("the defaults of a protocol close at the end of input and at a shutdown") {
  for (const bool by_shutdown : {true, false}) {
    manual_scheduler scheduler;
    bool gone = false;
    null_channel& channel = start_null_channel(scheduler, std::make_unique<silent>(gone));
    by_shutdown ? channel.shut_down() : channel.received_eof();
    scheduler.run_until_idle();
    CHECK(gone);
    CHECK(scheduler.open_transports() == 0);
  }
}

TEST_CASE("a protocol that was handed over is destroyed after connection_lost, a lent one is not") {
  manual_scheduler scheduler;
  bool owned_gone = false, lent_gone = false;
  silent lent(lent_gone);
  start_null_channel(scheduler, std::make_unique<silent>(owned_gone)).close();
  start_null_channel(scheduler, borrow(lent)).close();
  CHECK_FALSE(owned_gone);
  scheduler.run_until_idle();
  CHECK(owned_gone);
  CHECK_FALSE(lent_gone);
}

TEST_CASE("B1 input is read straight into a buffered protocol's memory") {
  manual_scheduler scheduler;
  recording_buffered_protocol end;
  null_channel& channel = start_null_channel(scheduler, borrow(end));
  std::byte memory[16];
  end.on_get_buffer = [&](std::size_t) { return mutable_bytes(memory); };
  const mutable_bytes room = channel.receive_buffer();
  CHECK(room.data() == memory);
  room[0] = std::byte{'x'};
  channel.received(1);
  CHECK(end.received() == "x");
  channel.abort();
  scheduler.run_until_idle();
}

TEST_CASE("B2 a buffer that was not filled is the past: what is read after the end of the connection is not told") {
  manual_scheduler scheduler;
  recording_buffered_protocol end;
  null_channel& channel = start_null_channel(scheduler, borrow(end));
  channel.lingers_after_close = true;
  CHECK_FALSE(channel.receive_buffer().empty());  // nothing came
  channel.close();
  scheduler.run_until_idle();
  CHECK(end.events() == lines{"made", "lost"});
  CHECK(scheduler.open_transports() == 1);
  CHECK_FALSE(channel.receive_buffer().empty());
  channel.received(5);
  CHECK(end.events() == lines{"made", "lost"});
  channel.received_eof();
  scheduler.run_until_idle();
  CHECK(scheduler.open_transports() == 0);
}

TEST_CASE("B5 bytes that were held are placed into the protocol's buffers until all are, however many there are") {
  manual_scheduler scheduler;
  recording_buffered_protocol end;
  null_channel& channel = start_null_channel(scheduler, borrow(end));
  const std::string text = numbered(1'000'000);
  channel.pause_reading();
  channel.received(as_bytes(text));
  channel.resume_reading();
  scheduler.run_until_idle();
  CHECK((end.received() == text));
  channel.abort();
  scheduler.run_until_idle();
}

TEST_CASE("B4 what the old protocol left over is placed into the new one's buffers until all is, however much there is") {
  manual_scheduler scheduler;
  recording_protocol first;
  recording_buffered_protocol second;
  null_channel& channel = start_null_channel(scheduler, borrow(first));
  const std::string text = numbered(1'000'000);
  first.on_data = [&](const_bytes data) { channel.set_protocol(borrow(second), data); };
  channel.received(as_bytes(text));
  scheduler.run_until_idle();
  CHECK((second.received() == text));
  channel.abort();
  scheduler.run_until_idle();
}
