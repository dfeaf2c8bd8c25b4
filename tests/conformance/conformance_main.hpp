#pragma once

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include <sluice/testing/transport_conformance.hpp>

// Runs the kit as one test case: prints the report, and fails with the names of the cases that failed.
inline void check_conformance(const sluice::testing::transport_under_test& subject) {
  const sluice::testing::conformance_report report = sluice::testing::run_conformance(subject);
  std::ostringstream text;
  text << report;
  MESSAGE(text.str());
  CHECK(report.passed());
}
