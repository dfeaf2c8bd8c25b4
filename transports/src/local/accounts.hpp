#pragma once

#include <optional>
#include <string_view>

namespace sluice::detail {

// The number of a user or group that is given by its name or its number. For set-up: it reads the system's tables.
std::optional<unsigned> user_number(std::string_view text);
std::optional<unsigned> group_number(std::string_view text);

}  // namespace sluice::detail
