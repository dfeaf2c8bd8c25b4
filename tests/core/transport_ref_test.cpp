#include <sluice/transport_ref.hpp>

#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <memory>

#include <doctest/doctest.h>

#include "null_channel.hpp"

using namespace sluice;

TEST_CASE("a reference to nothing answers no, and its calls do nothing") {
  const transport_ref nothing;
  CHECK_FALSE(nothing);
  CHECK(nothing.get() == nullptr);
  CHECK(nothing.write(as_bytes("x")) == write_status::dropped);
  nothing.close();
  nothing.abort();
}

TEST_CASE("a reference leads to its transport until connection_lost, closing included, and never after it") {
  testing::manual_scheduler clock;
  testing::recording_protocol upper;
  transport& connection = start_null_channel(clock, borrow(upper));
  const transport_ref ref(connection);
  CHECK(ref.get() == &connection);
  CHECK(ref.write(as_bytes("x")) == write_status::accepted);
  upper.on_lost = [&](std::error_code) { CHECK(ref.write(as_bytes("late")) == write_status::dropped); };
  ref.close();
  CHECK(ref.get() == &connection);
  CHECK(ref.write(as_bytes("late")) == write_status::dropped);
  clock.run_until_idle();
  CHECK(upper.trace() == "made, lost");
  CHECK_FALSE(ref);
  CHECK(ref.write(as_bytes("late")) == write_status::dropped);
  ref.abort();
}

TEST_CASE("a reference to a lost transport does not lead to the one that took its place") {
  testing::manual_scheduler clock;
  testing::recording_protocol first, second;
  const transport_ref before(start_null_channel(clock, borrow(first)));
  before.abort();
  clock.run_until_idle();
  transport& connection = start_null_channel(clock, borrow(second));
  const transport_ref after(connection);
  CHECK_FALSE(before);
  CHECK(after.get() == &connection);
  before.abort();
  clock.run_until_idle();
  CHECK(second.trace() == "made");
  after.close();
  clock.run_until_idle();
}

TEST_CASE("K5 a reference, and a copy of it, may outlive the scheduler") {
  testing::recording_protocol upper;
  transport_ref ref;
  {
    testing::manual_scheduler clock;
    clock.on_error([](const error_event&) {});
    ref = transport_ref(start_null_channel(clock, borrow(upper)));
    CHECK(ref);
  }
  const transport_ref copy = ref;
  CHECK_FALSE(ref);
  CHECK_FALSE(copy);
  CHECK(copy.write(as_bytes("late")) == write_status::dropped);
}
