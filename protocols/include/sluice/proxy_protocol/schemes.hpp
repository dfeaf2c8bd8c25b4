#pragma once

#include <functional>
#include <optional>

#include <sluice/proxy_protocol/header.hpp>
#include <sluice/proxy_protocol/receiver.hpp>
#include <sluice/scheme_table.hpp>

namespace sluice::proxy_protocol {

/// Asked inside each `connect` with `send_proxy_protocol`, for the header of that one connection: a proxy answers with `header_of_client` of
/// the client that it connects for. Nothing: the connection is the program's own.
using header_source = std::function<std::optional<header>(version)>;

/// Gives the schemes `tcp`, `unix`, `unix-abstract` and `fd`, as far as `table` has them, options for headers of a proxy; and `tls` and what else
/// stands on them, if it is added behind this, where the header comes before the first byte of TLS.
///
/// - `listen`: `proxy_protocol`, the networks of trusted proxies, separated by commas, with `unix` for all that come over a Unix socket:
///   `tcp://0.0.0.0:7000?proxy_protocol=10.0.0.0/8,192.0.2.7`; `proxy_protocol_others` (refuse or serve: those who come from elsewhere);
///   `proxy_protocol_timeout`.
/// - `connect`: `send_proxy_protocol` (v1 or v2), with what `source` says, and else with the addresses of the connection itself.
///
/// `on_failure` is told of each connection of a `listen` that is not served for its header or for where it comes from, as by
/// `receiver_options::on_failure`. Without it nobody is told.
void add_options(scheme_table& table, header_source source = {}, failure_handler on_failure = {});

}  // namespace sluice::proxy_protocol
