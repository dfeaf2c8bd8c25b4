#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over TCP, on the end that connects") { check_conformance(over_tcp()); }

TEST_CASE("M2 the contract holds over TCP, on the end that accepts") { check_conformance(over_tcp(near_side::accepts)); }

TEST_CASE("M2 the contract holds over a layer over TCP") { check_conformance(with_layer("layer over tcp", over_tcp(), pass_through)); }

TEST_CASE("M2 the contract holds over a layer with a handshake over TCP") {
  check_conformance(with_layer("handshaking layer over tcp", over_tcp(near_side::accepts), handshaking, handshaking));
}

TEST_CASE("M2 the contract holds over TCP by libuv's streams, on the end that connects") {
  check_conformance(over_tcp(near_side::connects, {.executor = {}, .portable_streams = true}));
}

TEST_CASE("M2 the contract holds over TCP by libuv's streams, on the end that accepts") {
  check_conformance(over_tcp(near_side::accepts, {.executor = {}, .portable_streams = true}));
}

TEST_CASE("M2 the contract holds over a layer over TCP by libuv's streams") {
  check_conformance(
      with_layer("layer over tcp by libuv", over_tcp(near_side::connects, {.executor = {}, .portable_streams = true}), pass_through));
}
