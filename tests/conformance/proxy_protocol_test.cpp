#include <memory>
#include <utility>

#include <sluice/network.hpp>
#include <sluice/proxy_protocol/receiver.hpp>
#include <sluice/proxy_protocol/sender.hpp>

#include "conformance_main.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

std::unique_ptr<layer> receiving(scheduler& owner, protocol_ptr upper) {
  static const auto options = std::make_shared<const proxy_protocol::receiver_options>(
      proxy_protocol::receiver_options{.trusted = {network::parse("127.0.0.1")}, .trust_without_ip = true});
  return std::make_unique<proxy_protocol::receiver>(owner, std::move(upper), options);
}

std::unique_ptr<layer> sending(scheduler& owner, protocol_ptr upper) {
  return std::make_unique<proxy_protocol::sender>(owner, std::move(upper), proxy_protocol::version::v2);
}

}  // namespace

TEST_CASE("M2 the contract holds behind the header of a proxy, on the end that receives it") {
  check_conformance(with_layer("proxy protocol over memory, receiver", over_memory(), receiving, sending));
  check_conformance(with_layer("proxy protocol over memory, a few bytes at a time",
                               over_memory({.capacity = 4000, .window = 1000, .max_send = 700, .max_receive = 300}), receiving, sending));
  check_conformance(with_layer("proxy protocol over tcp, receiver", over_tcp(near_side::accepts), receiving, sending));
}

TEST_CASE("M2 the contract holds behind the header of a proxy, on the end that sends it") {
  check_conformance(with_layer("proxy protocol over memory, sender", over_memory(), sending, receiving));
  check_conformance(with_layer("proxy protocol over unix, sender", over_local(), sending, receiving));
}
