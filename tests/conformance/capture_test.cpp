#include <memory>
#include <utility>

#include <sluice/capture/queue.hpp>
#include <sluice/capture/tap.hpp>

#include "conformance_main.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

std::unique_ptr<layer> tapped(scheduler& owner, protocol_ptr upper) {
  return std::make_unique<capture::tap>(owner, std::move(upper), capture::queue(owner));
}

std::unique_ptr<layer> tapped_without_room(scheduler& owner, protocol_ptr upper) {
  return std::make_unique<capture::tap>(owner, std::move(upper), capture::queue(owner, {.capacity = 4096}));
}

}  // namespace

TEST_CASE("M2 the contract holds through a tap") {
  check_conformance(with_layer("tap over memory", over_memory(), tapped));
  check_conformance(with_layer("taps over memory, a few bytes at a time",
                               over_memory({.capacity = 4000, .window = 1000, .max_send = 700, .max_receive = 300}), tapped, tapped));
  check_conformance(with_layer("tap over tcp", over_tcp(), tapped));
}

TEST_CASE("M2 the contract holds through a tap whose queue has no room") {
  check_conformance(with_layer("tap without room over memory", over_memory(), tapped_without_room));
}
