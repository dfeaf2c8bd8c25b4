#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over two pipes") { check_conformance(over_pipe()); }

TEST_CASE("M2 the contract holds over a layer over two pipes") {
  check_conformance(with_layer("layer over pipe", over_pipe(), pass_through));
}
