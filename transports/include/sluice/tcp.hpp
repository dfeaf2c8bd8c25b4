#pragma once

#include <sluice/address.hpp>
#include <sluice/connecting.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/server.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <memory>
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
  /// How long an outgoing connection may take to be made before it fails with `errc::timed_out`; 0 leaves it to the system.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
  /// Flow control and closing of each connection.
  stream_options stream = {};
};

/// Listens on any number of addresses and gives each connection a protocol of its own.
///
///     tcp::server server(loop, [] { return std::make_unique<echo>(); });
///     server.listen({"127.0.0.1", 7777});
///
/// Belongs to the loop's thread; may be destroyed before or after the loop.
class server final : public sluice::server {
 public:
  server(loop& owner, protocol_factory factory, options settings = {});
  /// Closes it.
  ~server() override;

  /// Binds and listens; port 0 lets the system choose, see `sockets()`. May be called for several addresses. Throws `std::system_error` with
  /// the address in its text (rule S8), or sets `error`; `errc::closed` if the loop is gone. Returns the bound address.
  address listen(const address& at);
  address listen(const address& at, std::error_code& error);

  void close() override;
  bool is_serving() const noexcept override;
  std::vector<address> sockets() const override;
  const server_counters& counters() const noexcept override;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Connects to `to`. `factory` is called when the connection is there; then the protocol gets `connection_made`, then `done` is called (rules
/// L2, N10). Errors, the immediate ones too, are told to `done` in a later turn. Throws only `std::bad_alloc`.
connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done = {}, const options& settings = {});

}  // namespace sluice::tcp
