#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over a terminal") { check_conformance(over_terminal()); }

TEST_CASE("M2 the contract holds over a layer over a terminal") {
  check_conformance(with_layer("layer over terminal", over_terminal(), pass_through));
}
