#pragma once

#include <sluice/address.hpp>
#include <sluice/connecting.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/network.hpp>
#include <sluice/protocol.hpp>
#include <sluice/resolver.hpp>
#include <sluice/result.hpp>
#include <sluice/socket_server.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

/// TCP over IPv4 and IPv6.
namespace sluice::tcp {

/// Settings of a server and of the connections that it accepts, or of one outgoing connection.
struct options {
  /// Send small segments at once instead of waiting for more to go with them (TCP_NODELAY).
  bool nodelay = true;
  /// Connections that the system accepts for a server before the server does, 1 to 65535; the system may have a lower limit of its own.
  int backlog = 100;
  /// Several sockets may listen on one port, and the system spreads connections over them (SO_REUSEPORT).
  bool reuse_port = false;
  /// An IPv6 socket takes no IPv4 connections.
  bool ipv6_only = true;
  /// `listen` lets clients in. Off: it only binds, and clients are refused until `start_serving()`.
  bool start_serving = true;
  /// While a server has so many connections it accepts no more, and clients wait in the system's queue; 0 is no limit (rule S14).
  std::size_t max_connections = 0;
  /// While one IP address has so many connections to a server, further ones are accepted and closed at once; 0 is no limit (rule S14).
  std::size_t max_connections_per_peer = 0;
  /// Clients from elsewhere are accepted and closed at once. Empty: from everywhere.
  std::vector<network> allow = {};
  /// Clients from there are accepted and closed at once, even if `allow` has them.
  std::vector<network> deny = {};
  /// How long an outgoing connection may take to be made, from the call on and with all that it takes, before it fails with
  /// `errc::timed_out`; 0 leaves it to the system.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
  /// How long an attempt on one address of a name is waited for before the next begins beside it; at least 10 ms. 0: the next begins when it
  /// has failed.
  std::chrono::milliseconds attempt_delay = std::chrono::milliseconds(250);
  /// How many addresses of the first family are tried before the families take turns; 0 keeps the resolver's order. Unset: 1, or 0 without
  /// an `attempt_delay`.
  std::optional<unsigned> first_family_count = {};
  /// What addresses of a name are wanted; a numeric host of the other family is an error.
  ip_family family = ip_family::any;
  /// Where outgoing connections come from; empty leaves it to the system, and so does port 0 for the port. Addresses of another family are
  /// not tried (rule N6).
  address local = {};
  /// Who resolves names: of the same loop, and there as long as the attempt; null: `resolver::of(loop)`.
  sluice::resolver* resolver = nullptr;
  /// Told of each attempt on an address.
  connect_observer on_attempt = {};
  /// Flow control and closing of each connection.
  stream_options stream = {};
};

/// Listens on any number of addresses and gives each connection a protocol of its own.
///
///     tcp::server server(loop, [] { return std::make_unique<echo>(); });
///     server.listen({"127.0.0.1", 7777});
class server final : public socket_server {
 public:
  /// Throws `std::invalid_argument` for a number in `settings` that makes no sense.
  server(loop& owner, protocol_factory factory, options settings = {});

  /// Binds and listens; port 0 lets the system choose, see `sockets()`. May be called for several addresses. Throws `std::system_error`
  /// with the address in its text (rule S8), or sets `error`; `errc::closed` if the loop is gone. Returns the bound address.
  address listen(const address& at);
  address listen(const address& at, std::error_code& error);

  /// Listens on each of `at`, once where one stands there twice, or on none of them if one cannot be had: what this call bound is closed
  /// again. Returns the bound addresses (rule S6).
  std::vector<address> listen(const std::vector<address>& at);
  std::vector<address> listen(const std::vector<address>& at, std::error_code& error);

  /// Listens on every interface of the machine, IPv4 and IPv6, by a socket for each of the two that the machine has. With port 0 both get
  /// the same port. `ipv6_only` is taken as on (rule S6).
  std::vector<address> listen(std::uint16_t port);
  std::vector<address> listen(std::uint16_t port, std::error_code& error);

 private:
  options settings_;
};

/// Connects to `to`. `factory` is called when the connection is there; then the protocol gets `connection_made`, then `done` is called (rules
/// L2, N10). Errors, the immediate ones too, are told to `done` in a later turn. Throws only `std::bad_alloc`.
connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done = {}, const options& settings = {});

/// Connects to a host by name: resolves it and tries its addresses, each a while after the one before, until one answers (rules N1–N5). The
/// first connection is kept and all other attempts are closed. `result::detail()` of a failure names each address with its own error; its
/// code is the one that all have in common, else `errc::connect_failed`, or the resolver's. A numeric host is an address like any other.
connecting connect(loop& owner, std::string_view host, std::uint16_t port, protocol_factory factory, connect_handler done = {},
                   const options& settings = {});

/// Makes a transport of a connected TCP socket that somebody else made (rule N8); everything else as for `local::adopt`.
result<transport&> adopt(loop& owner, descriptor connected, protocol_ptr upper, const options& settings = {});

}  // namespace sluice::tcp
