#pragma once

#include <sluice/protocol.hpp>

namespace sluice {
class scheduler;
}

namespace sluice::detail {

// Calls the factory; if it throws or returns null, that is reported (rule L15) and the result is null.
protocol_ptr make_protocol(scheduler& owner, const protocol_factory& factory) noexcept;

}  // namespace sluice::detail
