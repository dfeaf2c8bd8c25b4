#pragma once

#include <sluice/stream_transport.hpp>

#include <span>

namespace sluice::pipe {

// Writes as much of `parts` as `descriptor` takes now.
send_result write_parts(int descriptor, std::span<const const_bytes> parts) noexcept;

}  // namespace sluice::pipe
