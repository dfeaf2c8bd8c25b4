#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over a Unix socket, on the end that connects") { check_conformance(over_local()); }

TEST_CASE("M2 the contract holds over a Unix socket, on the end that accepts") { check_conformance(over_local(near_side::accepts)); }

TEST_CASE("M2 the contract holds over a layer over a Unix socket") {
  check_conformance(with_layer("layer over unix", over_local(), pass_through));
}

TEST_CASE("M2 the contract holds over a layer with a handshake over a Unix socket") {
  check_conformance(with_layer("handshaking layer over unix", over_local(near_side::accepts), handshaking, handshaking));
}

TEST_CASE("M2 the contract holds over a Unix socket by libuv's streams, on the end that connects") {
  check_conformance(over_local(near_side::connects, {.executor = {}, .portable_streams = true}));
}

TEST_CASE("M2 the contract holds over a Unix socket by libuv's streams, on the end that accepts") {
  check_conformance(over_local(near_side::accepts, {.executor = {}, .portable_streams = true}));
}

TEST_CASE("M2 the contract holds over a layer over a Unix socket by libuv's streams") {
  check_conformance(
      with_layer("layer over unix by libuv", over_local(near_side::connects, {.executor = {}, .portable_streams = true}), pass_through));
}
