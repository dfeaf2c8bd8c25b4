#pragma once

#include <sluice/loop.hpp>
#include <sluice/scheme_table.hpp>

#include <memory>

namespace sluice {

/// A table with a row for every transport of the library:
///
/// - `tcp://HOST:PORT`, HOST a numeric IPv4 address, an IPv6 address in brackets or a name, PORT 0 for one that the system chooses; options
///   `backlog`, `nodelay`, `reuse_port`, `ipv6_only`, `connect_timeout`, `attempt_delay`, `first_family_count`, `family` (any, ipv4 or ipv6)
///   and `local` (an address, with a port or without), see `tcp::options`. `connect` resolves a name without blocking; `listen` is for
///   set-up: it waits for the system's resolver, and listens on every address of the name.
/// - `unix:PATH` and `unix-abstract:NAME`; options `backlog`, `connect_timeout`, `receive_descriptors`, and for paths `mode`
///   and `remove_stale`.
/// - Both: `high`, `low`, `max_write_buffer`, `close_timeout`, `linger`, see `stream_options`.
scheme_table transport_schemes();

/// `transport_schemes().listen(…)`, for programs that add no scheme of their own.
std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory);
/// `transport_schemes().connect(…)`.
connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done = {});

}  // namespace sluice
