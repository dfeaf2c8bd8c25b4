#pragma once

#include <sluice/udp.hpp>

namespace sluice::udp {

// The end of a sentence about the first number that makes no sense; null if all do.
const char* what_is_wrong_with(const options& settings) noexcept;

// Everything of `settings` that is an option of the socket.
std::error_code apply(int socket, bool is_v6, const options& settings);

}  // namespace sluice::udp
