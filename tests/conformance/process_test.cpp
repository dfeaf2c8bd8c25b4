#include "conformance_layers.hpp"
#include "conformance_main.hpp"

using namespace sluice::testing;

TEST_CASE("M2 the contract holds over a child process") { check_conformance(over_process()); }

TEST_CASE("M2 the contract holds over a layer over a child process") {
  check_conformance(with_layer("layer over process", over_process(), pass_through));
}
