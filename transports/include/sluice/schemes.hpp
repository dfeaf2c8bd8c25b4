#pragma once

#include <sluice/loop.hpp>
#include <sluice/scheme_table.hpp>

#include <memory>

namespace sluice {

/// A table with a row for every transport of the library:
///
/// - `tcp://HOST:PORT`, HOST a numeric IPv4 address, an IPv6 address in brackets or a name, PORT 0 for one that the system chooses.
///   `connect` resolves a name without blocking; `listen` is for set-up: it waits for the system's resolver, and listens on every address of
///   the name. `tcp://:PORT` is for `listen` alone: every interface. Options `nodelay`, `reuse_port`, `ipv6_only`,
///   `max_connections_per_peer`, `allow` and `deny` (networks, separated by commas), `attempt_delay`, `first_family_count`, `family` (any,
///   ipv4 or ipv6) and `local` (an address, with a port or without), see `tcp::options`.
/// - `unix:PATH` and `unix-abstract:NAME`; options `receive_descriptors`, and for paths `mode`, `user` and `group` (names or numbers),
///   `remove_stale` and `remove_file`, see `local::options`.
/// - `fd://NUMBER` and `fd://NAME`, for `listen` alone: sockets that listen already, TCP or Unix, which this process inherited. A name
///   stands for all that were passed under it, see `<sluice/activation.hpp>`; a number may be that of any descriptor, which is taken over,
///   each once. Options are those of the kind that the sockets are of, where they mean something.
/// - All: `backlog`, `start_serving`, `max_connections` and `connect_timeout`; `first_byte`, `idle`, `write_stall`, `lifetime`, `high`,
///   `low`, `max_write_buffer`, `close_timeout` and `linger`, see `stream_options`.
scheme_table transport_schemes();

/// `transport_schemes().listen(…)`, for programs that add no scheme of their own.
std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory);
/// `transport_schemes().connect(…)`.
connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done = {});

}  // namespace sluice
