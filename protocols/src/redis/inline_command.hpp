#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::redis {

/// Splits one line (without its end) as Redis splits inline commands. The arguments view `storage`; both are overwritten. False: unbalanced
/// quotes.
bool split_inline_command(std::string_view line, std::string& storage, std::vector<std::string_view>& arguments);

}  // namespace sluice::redis
