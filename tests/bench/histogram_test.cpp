#include "histogram.hpp"

#include <cstdint>

#include <doctest/doctest.h>

using load::histogram;

TEST_CASE("an empty histogram has no quantile but 0") { CHECK(histogram().quantile(0.5) == 0); }

TEST_CASE("small values come back as they are") {
  histogram all;
  for (std::uint64_t value = 1; value <= 100; ++value) all.record(value);
  CHECK(all.total() == 100);
  CHECK(all.quantile(0) == 1);
  CHECK(all.quantile(0.5) == 50);
  CHECK(all.quantile(0.99) == 99);
  CHECK(all.quantile(1) == 100);
}

TEST_CASE("every value comes back to within one per cent, the largest too") {
  for (unsigned shift = 0; shift < 64; ++shift)
    for (const std::uint64_t more : {0U, 1U, 7U, 63U}) {
      const std::uint64_t value = (std::uint64_t{1} << shift) + (more << shift) / 64;
      histogram one;
      one.record(value);
      const auto found = static_cast<double>(one.quantile(0.5));
      CAPTURE(value);
      CHECK(found == doctest::Approx(static_cast<double>(value)).epsilon(0.01));
    }
  histogram largest;
  largest.record(UINT64_MAX);
  CHECK(static_cast<double>(largest.quantile(1)) == doctest::Approx(static_cast<double>(UINT64_MAX)).epsilon(0.01));
}

TEST_CASE("a rare value shows in the last quantile only") {
  histogram all;
  for (int i = 0; i < 999; ++i) all.record(100);
  all.record(1'000'000);
  CHECK(all.quantile(0.5) == 100);
  CHECK(all.quantile(0.999) == 100);
  CHECK(static_cast<double>(all.quantile(1)) == doctest::Approx(1'000'000).epsilon(0.01));
}

TEST_CASE("clear forgets") {
  histogram all;
  all.record(5);
  all.clear();
  CHECK(all.total() == 0);
  CHECK(all.quantile(1) == 0);
}
