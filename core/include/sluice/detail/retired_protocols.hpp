#pragma once

#include <sluice/protocol.hpp>

namespace sluice::detail {

// Up to two protocols that die at the end of a turn. Made before it is known whether and when they do, so that this needs no memory then.
struct retired_protocols {
  protocol_ptr one;
  protocol_ptr other;
  retired_protocols* following = nullptr;  // in the scheduler's list
};

}  // namespace sluice::detail
