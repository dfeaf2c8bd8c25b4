#include <chrono>
#include <sstream>
#include <utility>

#include <doctest/doctest.h>
#include <sluice/testing/datagram_conformance.hpp>

using namespace sluice;
using namespace sluice::testing;

namespace {

void check_conformance(const datagram_transport_under_test& subject) {
  const conformance_report report = run_datagram_conformance(subject);
  std::ostringstream text;
  text << report;
  MESSAGE(text.str());
  CHECK(report.passed());
}

}  // namespace

TEST_CASE("M2 the contract of datagrams holds over memory") { check_conformance(over_memory_datagrams()); }

TEST_CASE("M2 the contract of datagrams holds over a memory link with latency that holds one datagram at a time") {
  auto subject = over_memory_datagrams({.capacity = 1, .latency = std::chrono::microseconds(20)});
  subject.name = "memory datagrams, one at a time";
  check_conformance(subject);
}

TEST_CASE("M2 the contract of datagrams holds over UDP on IPv4") { check_conformance(over_udp()); }

TEST_CASE("M2 the contract of datagrams holds over UDP on IPv6") { check_conformance(over_udp(address::loopback_v6(0))); }

TEST_CASE("M2 the contract of datagrams holds over Unix datagram sockets") { check_conformance(over_local_datagrams()); }
