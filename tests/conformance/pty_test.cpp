#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over an exported pseudo-terminal") { check_conformance(over_pty()); }

TEST_CASE("M2 the contract holds over a layer over an exported pseudo-terminal") {
  check_conformance(with_layer("layer over pty", over_pty(), pass_through));
}
