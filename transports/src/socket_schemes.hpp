#pragma once

#include <sluice/local.hpp>
#include <sluice/scheme_table.hpp>
#include <sluice/tcp.hpp>

namespace sluice::detail {

// The rows of `transport_schemes()`.
void add_tcp_scheme(scheme_table& table);
void add_local_schemes(scheme_table& table);
void add_fd_scheme(scheme_table& table);

// What the options of an endpoint say; throw bad_endpoint.
tcp::options tcp_options(const endpoint& from);
local::options local_options(const endpoint& from);

}  // namespace sluice::detail
