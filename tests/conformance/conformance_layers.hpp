#pragma once

#include <memory>

#include <sluice/testing/handshaking_layer.hpp>
#include <sluice/testing/transport_conformance.hpp>

// Layers for `with_layer`.

inline std::unique_ptr<sluice::layer> pass_through(sluice::scheduler& owner, sluice::protocol_ptr upper) {
  return std::make_unique<sluice::layer>(owner, std::move(upper));
}

inline std::unique_ptr<sluice::layer> handshaking(sluice::scheduler& owner, sluice::protocol_ptr upper) {
  return std::make_unique<sluice::testing::handshaking_layer>(owner, std::move(upper));
}
