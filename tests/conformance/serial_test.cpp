#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over a serial line") { check_conformance(over_serial()); }

TEST_CASE("M2 the contract holds over a layer over a serial line") {
  check_conformance(with_layer("layer over serial", over_serial(), pass_through));
}
