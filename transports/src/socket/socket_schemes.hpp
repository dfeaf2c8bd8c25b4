#pragma once

#include <sluice/local.hpp>
#include <sluice/scheme_table.hpp>
#include <sluice/tcp.hpp>

namespace sluice::detail {

// The rows of `transport_schemes()`.
void add_tcp_scheme(scheme_table& table);
void add_local_schemes(scheme_table& table);
void add_fd_scheme(scheme_table& table);
void add_stdio_scheme(scheme_table& table);
void add_fifo_scheme(scheme_table& table);
void add_exec_scheme(scheme_table& table);
void add_serial_scheme(scheme_table& table);
void add_pty_scheme(scheme_table& table);
void add_udp_scheme(scheme_table& table);
void add_local_datagram_schemes(scheme_table& table);

// What the options of an endpoint say; throw bad_endpoint.
tcp::options tcp_options(const endpoint& from);
local::options local_options(const endpoint& from);

// The names of Unix sockets, from endpoints such as unix:PATH and unix-abstract:NAME.
address path_address(const endpoint& from, std::string_view example);
address abstract_address(const endpoint& from, std::string_view example);

}  // namespace sluice::detail
