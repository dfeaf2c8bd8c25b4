#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over two FIFOs") { check_conformance(over_fifo()); }

TEST_CASE("M2 the contract holds over a layer over two FIFOs") {
  check_conformance(with_layer("layer over fifo", over_fifo(), pass_through));
}
