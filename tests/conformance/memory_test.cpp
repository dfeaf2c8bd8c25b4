#include <sluice/memory.hpp>

#include <chrono>
#include <string>
#include <utility>

#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

transport_under_test named(std::string name, transport_under_test subject) {
  subject.name = std::move(name);
  return subject;
}

}  // namespace

TEST_CASE("M2 the contract holds over memory") { check_conformance(over_memory()); }

TEST_CASE("M2 the contract holds over a memory link that sends and brings a few bytes at a time") {
  check_conformance(
      named("memory, a few bytes at a time", over_memory({.capacity = 4000, .window = 1000, .max_send = 700, .max_receive = 300})));
}

TEST_CASE("M2 the contract holds over a memory link with latency") {
  check_conformance(named("memory with latency", over_memory({.latency = std::chrono::microseconds(20)})));
}

TEST_CASE("M2 the contract holds over a layer over memory") {
  check_conformance(with_layer("layer over memory", over_memory(), pass_through));
}

TEST_CASE("M2 the contract holds over a stack of layers over memory") {
  check_conformance(
      with_layer("layer over layer over memory", with_layer("layer over memory", over_memory(), pass_through), pass_through, pass_through));
}

TEST_CASE("M2 the contract holds over a layer with a handshake over memory") {
  check_conformance(with_layer("handshaking layer over memory", over_memory(), handshaking, handshaking));
}
