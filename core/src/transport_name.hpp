#pragma once

#include <string>

#include <sluice/detail/tenant.hpp>

namespace sluice::detail {

// For lines that list transports: "12 (tcp 127.0.0.1:4567)".
std::string name_of(const tenant& named);

}  // namespace sluice::detail
