#include <sluice/testing/failure_sweep.hpp>

#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>

using sluice::testing::failure_sweep;

TEST_CASE("a sweep runs once for each failure, and once without") {
  std::vector<std::size_t> runs;
  CHECK(failure_sweep([&](std::size_t n) {
          runs.push_back(n);
          return n < 3;
        }) == 3);
  CHECK(runs == std::vector<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("a scenario that always fails is an error, not a test that hangs") {
  CHECK_THROWS_WITH_AS(failure_sweep([](std::size_t) { return true; }, 5), doctest::Contains("after 5 operations"), std::runtime_error);
}
