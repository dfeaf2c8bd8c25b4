#include <cstdio>
#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/failure_sweep.hpp>

#include "exchange_run.hpp"

using namespace faults;
using sluice::testing::allocation_failure;
using sluice::testing::failure_sweep;

TEST_CASE("any one allocation may fail, and no more than one connection ends by it") {
  const socket_kit::descriptor_balance balance;
  std::size_t connections = 0, survived = 0, struck = 0;
  for (const medium over : {medium::tcp, medium::local, medium::local_with_descriptors}) {
    const std::string over_what = to_string(over);
    CAPTURE(over_what);
    struck += failure_sweep([&](std::size_t n) {
      CAPTURE(n);
      std::fprintf(stderr, "allocation %zu, %s\n", n, to_string(over));  // the last line of a run that crashes
      exchange_run run({.over = over, .seed = 7, .connections = 6, .at_a_time = 3, .largest = 300'000});
      std::optional<allocation_failure> failure;
      bool has_struck = false;
      run.go([&] { failure.emplace(n); },
             [&] {
               has_struck = failure->struck();
               failure.reset();
             });
      const run_outcome outcome = run.count_survivors();
      for (const std::string& each : outcome.complaints) FAIL_CHECK(each);
      CHECK(outcome.survived + 1 >= outcome.connections);
      connections += outcome.connections;
      survived += outcome.survived;
      return has_struck;
    });
  }
  std::printf("allocations: %zu failed; %zu of %zu connections survived\n", struck, survived, connections);
}
