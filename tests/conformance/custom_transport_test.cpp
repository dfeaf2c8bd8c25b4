#include "conformance_main.hpp"
#include "ring_channel.hpp"

TEST_CASE("M2 the contract holds over the transport of the example") {
  check_conformance(sluice::testing::over_manual_scheduler("rings", {.hangup = true}, rings::connect));
}
