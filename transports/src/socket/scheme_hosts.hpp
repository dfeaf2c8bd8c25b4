#pragma once

#include <sluice/address.hpp>
#include <sluice/endpoint.hpp>
#include <sluice/resolver.hpp>

#include <string_view>
#include <vector>

namespace sluice::detail {

// The hosts of endpoints such as tcp://HOST:PORT. All throw bad_endpoint.

// An address of `family`, or a name.
host_port host_of(const endpoint& from, ip_family family);

// As above, as addresses. Asks the system's resolver and waits for it, as set-up does.
std::vector<address> addresses_of(const endpoint& from, ip_family family);

// "tcp://:7000" means every interface.
bool names_only_a_port(const endpoint& at);

// An address to come from, with or without a port. False if `text` is none.
bool read_local(std::string_view text, address& local);
inline constexpr std::string_view expected_local = "an address such as 127.0.0.1, ::1 or [::1]:7000";

}  // namespace sluice::detail
