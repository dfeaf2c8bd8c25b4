#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "exchange_run.hpp"
#include "fault_sweep.hpp"

using namespace faults;

namespace {

struct totals {
  tally struck{};
  run_outcome all;

  void add(const run_outcome& one) {
    all.connections += one.connections;
    all.survived += one.survived;
    all.bytes_checked += one.bytes_checked;
    all.descriptors_checked += one.descriptors_checked;
  }
  std::string calls() const {
    std::uint64_t sum = 0;
    std::string each;
    for (std::size_t i = 0; i < call_count; ++i) {
      sum += struck[i];
      if (struck[i] != 0) each += (each.empty() ? "" : ", ") + std::to_string(struck[i]) + ' ' + to_string(static_cast<call>(i));
    }
    return std::to_string(sum) + " calls failed (" + each + ")";
  }
  void print(const char* what) const {
    std::printf("%s: %s; %zu of %zu connections survived; %llu bytes and %llu descriptors checked\n", what, calls().c_str(), all.survived,
                all.connections, static_cast<unsigned long long>(all.bytes_checked),
                static_cast<unsigned long long>(all.descriptors_checked));
  }
};

medium medium_of(std::uint32_t seed) { return static_cast<medium>(seed % 3); }

void check(const run_outcome& outcome) {
  for (const std::string& each : outcome.complaints) FAIL_CHECK(each);
}

// Lets the `n`-th call fail in every way there is, in a run of its own each. False if there is no `n`-th call any more.
bool fail_call(medium over, std::size_t n, totals& sum) {
  for (std::size_t variant = 0;; ++variant) {
    CAPTURE(variant);
    single_fault plan(n, variant);
    exchange_run run({.over = over, .seed = static_cast<std::uint32_t>(n), .connections = 3, .at_a_time = 2, .largest = 3000});
    run.go(plan);
    const fault what = plan.what();
    const run_outcome outcome = run.judge([what](int error) { return error == what.error; });
    CAPTURE(to_string(plan.struck_call()));
    CAPTURE(what.error);
    check(outcome);
    CHECK(outcome.survived + 1 >= outcome.connections);
    if (!plan.struck()) return plan.reached();
    sum.add(outcome);
    ++sum.struck[static_cast<std::size_t>(plan.struck_call())];
  }
}

}  // namespace

TEST_CASE("whatever calls fail, a connection that is not ended by it loses no byte, and one that is hears of it once") {
  totals sum;
  const sweep_range seeds = wanted_seeds();
  for (std::uint32_t seed = seeds.first; seed != seeds.first + seeds.count; ++seed) {
    CAPTURE(seed);
    std::fprintf(stderr, "seed %u, %s\n", seed, to_string(medium_of(seed)));  // the last line of a run that crashes
    const socket_kit::descriptor_balance balance;
    storm plan(seed);
    exchange_run run({.over = medium_of(seed), .seed = seed});
    run.go(plan);
    const run_outcome outcome = run.judge([&plan](int error) { return plan.has_answered(error); });
    check(outcome);
    sum.add(outcome);
    for (std::size_t i = 0; i < call_count; ++i) sum.struck[i] += plan.struck()[i];
  }
  sum.print("storms");
  CHECK(sum.all.survived > 0);
}

TEST_CASE("any one call may fail in any way, and no more than one connection ends by it") {
  const socket_kit::descriptor_balance balance;
  totals sum;
  for (const medium over : {medium::tcp, medium::local, medium::local_with_descriptors}) {
    const std::string over_what = to_string(over);
    CAPTURE(over_what);
    for (std::size_t n = 0;; ++n) {
      CAPTURE(n);
      if (!fail_call(over, n, sum)) break;
    }
  }
  sum.print("single failures");
}
