#pragma once

#include <sluice/address.hpp>
#include <sluice/connecting.hpp>

#include <string>
#include <system_error>
#include <vector>

namespace sluice::detail {

// What is told of a call to connect that failed, and where each address was tried, with every one of them.

// The error that all have in common, or `errc::connect_failed`.
std::error_code common_error(const std::vector<connect_attempt>& failed);
// "ECONNREFUSED: connection refused" where `target` is the one address, else with the addresses in front, or address by address.
std::string describe_failures(const std::vector<connect_attempt>& failed, const std::string& target);
// The same for a deadline that found the first `begun` of `addresses` begun; without addresses the name was not resolved.
std::string describe_timeout(const std::vector<address>& addresses, std::size_t begun, const std::vector<connect_attempt>& failed,
                             const std::string& target);

}  // namespace sluice::detail
