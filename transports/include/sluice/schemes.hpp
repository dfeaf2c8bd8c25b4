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
/// - `stdio:`, for `connect` alone: this process's standard input and output; option `raw`, see `<sluice/stdio.hpp>`.
/// - `fifo:PATH`, for `connect` alone; options `direction` (read, write or both), `create`, `mode` and `connect_timeout`, see
///   `pipe::fifo_options`.
/// - `exec:PROGRAM`, for `connect` alone: the standard input and output of a child process; options `arg` (any number of them, in order),
///   `cwd`, `env` (NAME=VALUE, any number), `clean_env`, `user`, `group`, `new_session`, `stderr` (inherit, null or merge), `pty`, `rows` and
///   `columns`, see `process::open`.
/// - `pty:LINK`, for `connect` alone: a pseudo-terminal that programs open as a serial port by the link, for as long as the transport lives;
///   options `hangup` (keep or end) and `mode`, see `pty::options`.
/// - `udp://HOST:PORT`, HOST as for tcp; `udp://:PORT` is for `open_datagrams` alone: every interface, IPv4 senders as IPv4-mapped addresses
///   unless `family` says otherwise. Both functions wait for the system's resolver where HOST is a name. Options `reuse_port`,
///   `ipv6_only`, `broadcast`, `receive_buffer`, `ttl`, `multicast_ttl`, `multicast_loopback`, `family` and `local`, see `udp::options`;
///   `join` (groups, or GROUP@SOURCE, separated by commas) and `interface` (for groups, in both directions).
/// - `unix-dgram:PATH` and `unix-dgram-abstract:NAME`; options `local` (the path or the name of the own end, to connect) and for paths
///   `mode`, `remove_stale` and `remove_file`, see `local::datagram_socket_options`.
/// - Those of datagrams: `max_datagram`, `send_buffer`; `high`, `low`, `max_write_buffer`, `when_full` (drop_newest or abort) and
///   `close_timeout`, see `datagram_options`.
/// - Sockets of streams: `backlog`, `start_serving`, `max_connections` and `connect_timeout`. All streams: `first_byte`, `idle`,
///   `write_stall`, `lifetime`, `high`, `low`, `max_write_buffer`, `max_receive`, `close_timeout` and `linger`, see `stream_options`.
scheme_table transport_schemes();

/// `transport_schemes().listen(…)`, for programs that add no scheme of their own.
std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory);
/// `transport_schemes().connect(…)`.
connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done = {});
/// `transport_schemes().open_datagrams(…)`.
datagram_transport& open_datagrams(loop& owner, const endpoint& at, datagram_protocol_ptr upper);
/// `transport_schemes().connect_datagrams(…)`.
datagram_transport& connect_datagrams(loop& owner, const endpoint& to, datagram_protocol_ptr upper);

}  // namespace sluice
