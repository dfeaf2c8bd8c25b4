#pragma once

#include <vector>

#include <sluice/scheme_table.hpp>
#include <sluice/tls/context.hpp>

namespace sluice::tls {

/// What a program wants to have of the contexts that the rows make, and to hear of their connections.
struct scheme_options {
  /// Each context goes here, so that the program can `reload()` it: that of a `listen` for good, that of a `connect` for as long as the
  /// table keeps it. Must outlive the use of the table. Every `listen` and `connect` may change it: they and whoever walks through it
  /// belong to one thread, and nobody calls them on the way. A handler of a signal that does nothing but `reload()` is safe.
  std::vector<context>* made = nullptr;
  /// Told of each failed handshake or connection of a `listen` (rule S15), as by `common_options::on_failure`. Without it nobody is told.
  /// Inside the call `scheduler::for_each_transport` still finds the connection by its `id()`, and `info<peer_address>()` says whose it is.
  failure_handler on_server_failure = {};
  /// The same for `connect`, whose completion is told of a failed handshake, too.
  failure_handler on_client_failure = {};
};

/// Adds a row over each of the schemes `tcp` and `unix` that `table` has: `tls://HOST:PORT` and `tls+unix:PATH`. All options of the scheme below
/// go on to it, and the first in each line is the one that is usually needed:
///
/// - `listen`: `cert` and `key` (PEM files; several, in pairs, serve several names; without `key` it is in `cert`), `pkcs12`, `password_file`, `ocsp`
///   (DER, of the first certificate), `unknown_name` (first or refuse), `client_auth` (none, request or require), `client_ca`, `client_pin`,
///   `tickets`, `max_handshakes`, `offload_handshakes`.
/// - `connect`: `ca`, `ca_dir` and `ca_system`, whom to trust; `name`, who the server has to be (its host, if not given); `pin`; `verify` (full, or
///   insecure: whoever answers is believed), `require_ocsp`; `cert`, `key`, `pkcs12`, `password_file`, for servers that want to know who this is.
/// - Both: `alpn` (separated by commas), `min_version` and `max_version` (1.2 or 1.3), `handshake_timeout`, `shutdown_timeout`,
///   `wait_for_close_notify`, `allow_truncation`, `small_records_first`, `keylog`.
///
/// `connect` tells its completion when the handshake is done: with the layer, or with the error and, in `result::detail()`, what a person should
/// do. Cancelling ends the handshake, too. Without `name` the host is meant, of an IPv6 address without its zone.
///
/// Files are read by each `listen`, and by the first `connect` with such options of TLS; later ones with the same options, `name` aside,
/// have the same context, so that they read no file and resume sessions. What is in a file later is seen after `context::reload()`. The
/// table, and its copies, keep the contexts of the 16 sets of options that were connected with last. A context that cannot be made is not
/// kept: the next `connect` tries anew.
///
/// Throws `std::invalid_argument` if `table` has none of the two, or has one of the rows.
void add_scheme(scheme_table& table, scheme_options options = {});

}  // namespace sluice::tls
