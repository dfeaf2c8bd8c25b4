#pragma once

#include <sluice/address.hpp>
#include <sluice/connecting.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/server.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

/// Unix stream sockets, with a path or with an abstract name.
namespace sluice::local {

/// Settings of a server and of the connections that it accepts, or of one outgoing connection.
struct options {
  /// Connections that the system accepts for a server before the server does.
  int backlog = 100;
  /// Permissions of the socket file; unset leaves it to the process's umask.
  std::optional<unsigned> mode = {};
  /// A socket file that nobody listens on any more is replaced (rule S13). Anything else in its place is an error.
  bool remove_stale = true;
  /// How long an outgoing connection may take before it fails with `errc::timed_out`; 0 is for ever.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
  /// Flow control and closing of each connection.
  stream_options stream = {};
};

/// As `tcp::server`, for Unix sockets. The file of a path is removed when the server closes, if it is still the one that it made.
class server final : public sluice::server {
 public:
  server(loop& owner, protocol_factory factory, options settings = {});
  /// Closes it.
  ~server() override;

  /// Binds and listens. Throws `std::system_error` with the address in its text, or sets `error`; `errc::closed` if the loop is gone.
  /// Returns the bound address.
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

/// As `tcp::connect`.
connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done = {}, const options& settings = {});

/// Makes a transport of a connected Unix stream socket that somebody else made: one end of a `socketpair`, or a descriptor that was
/// inherited or passed (rule P8). `connection_made` is called before this returns. The descriptor becomes non-blocking, for whoever shares
/// it too, and is closed with the connection, and also on error. Errors, with the whole story in `detail()`: what is not a stream socket
/// (ENOTSOCK, EPROTOTYPE), one of another family (EAFNOSUPPORT), one that is not connected (ENOTCONN), and `errc::protocol_threw` if
/// `connection_made` threw (rule X2). `upper` must not be null (`std::invalid_argument`).
result<transport&> adopt(loop& owner, descriptor connected, protocol_ptr upper, const options& settings = {});

}  // namespace sluice::local
