#include <sluice/serial/device.hpp>

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("the difference of two counters is what happened between them, also where a number began anew") {
  serial::line_counters before;
  before.breaks = 3;
  before.received = 0xfffffffe;
  serial::line_counters after = before;
  after.breaks = 5;
  after.received = 4;
  after.parity_errors = 1;
  serial::line_counters expected;
  expected.breaks = 2;
  expected.received = 6;
  expected.parity_errors = 1;
  CHECK(after - before == expected);
  CHECK(after - after == serial::line_counters());
}
