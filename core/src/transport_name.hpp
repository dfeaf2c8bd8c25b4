#pragma once

#include <string>

namespace sluice {
class transport;
}

namespace sluice::detail {

// For lines that list transports: "12 (tcp 127.0.0.1:4567)".
std::string name_of(const transport& named);

}  // namespace sluice::detail
