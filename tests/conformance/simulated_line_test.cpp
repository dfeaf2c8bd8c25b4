#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over a simulated line") { check_conformance(over_simulated_line()); }

TEST_CASE("M2 the contract holds over a layer over a simulated line") {
  check_conformance(with_layer("layer over a simulated line", over_simulated_line(), pass_through));
}
