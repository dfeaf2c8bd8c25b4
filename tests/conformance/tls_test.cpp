#include "conformance_main.hpp"
#include "tls_layers.hpp"

using namespace sluice::testing;

namespace {

const tls_layers::contexts& contexts() {
  static const tls_layers::contexts all = tls_layers::make();
  return all;
}

}  // namespace

TEST_CASE("M2 the contract holds over TLS over memory, on the end that connects") {
  check_conformance(tls_layers::over("tls over memory, client", over_memory(), contexts(), false));
}

TEST_CASE("M2 the contract holds over TLS over memory, on the end that accepts") {
  check_conformance(tls_layers::over("tls over memory, server", over_memory(), contexts(), true));
}

TEST_CASE("M2 the contract holds over TLS over a memory link that sends and brings a few bytes at a time") {
  check_conformance(tls_layers::over("tls over memory, a few bytes at a time",
                                     over_memory({.capacity = 4000, .window = 1000, .max_send = 700, .max_receive = 300}), contexts(),
                                     true));
}

TEST_CASE("M2 the contract holds over TLS over TCP") {
  check_conformance(tls_layers::over("tls over tcp, client", over_tcp(), contexts(), false));
  check_conformance(tls_layers::over("tls over tcp, server", over_tcp(near_side::accepts), contexts(), true));
}

TEST_CASE("M2 the contract holds over TLS over a Unix socket") {
  check_conformance(tls_layers::over("tls over unix", over_local(near_side::accepts), contexts(), true));
}

TEST_CASE("M2 the contract holds over TLS over a serial line, which is a pseudo-terminal") {
  check_conformance(tls_layers::over("tls over serial", over_serial(), contexts(), true));
}

TEST_CASE("M2 T14 the contract holds over TLS over TLS over TCP") {
  check_conformance(
      tls_layers::over("tls over tls over tcp", tls_layers::over("tls over tcp", over_tcp(), contexts(), false), contexts(), false));
}

TEST_CASE("M2 the contract holds over TLS 1.2") {
  const auto old = tls_layers::make(sluice::tls::protocol_version::tls1_2);
  transport_under_test subject = tls_layers::over("tls 1.2 over memory", over_memory(), old, true);
  subject.has.half_close = false;
  check_conformance(subject);
}
