#pragma once

#include <sluice/address.hpp>
#include <sluice/bytes.hpp>
#include <sluice/connecting.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/socket_server.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>

/// Unix stream sockets, with a path or with an abstract name.
namespace sluice::local {

/// Settings of a server and of the connections that it accepts, or of one outgoing connection.
struct options {
  /// Connections that the system accepts for a server before the server does.
  int backlog = 100;
  /// Permissions of the socket file; unset leaves it to the process's umask.
  std::optional<unsigned> mode = {};
  /// Numbers of the user and the group that the socket file is given to; unset leaves them as they are. Giving it to another user is for
  /// privileged processes.
  std::optional<unsigned> user = {};
  std::optional<unsigned> group = {};
  /// A socket file that nobody listens on any more is replaced (rule S13). Anything else in its place is an error.
  bool remove_stale = true;
  /// The socket file that a server made is removed when it closes, unless another one has taken its place (rule S13).
  bool remove_file = true;
  /// `listen` lets clients in. Off: it only binds, and clients are refused until `start_serving()`.
  bool start_serving = true;
  /// While a server has so many connections it accepts no more, and clients wait in the system's queue; 0 is no limit (rule S14).
  std::size_t max_connections = 0;
  /// How long an outgoing connection may take before it fails with `errc::timed_out`; 0 is for ever.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
  /// How many descriptors that the peer passes may wait for `take_descriptor`; with 0 none are received, and the system closes those that
  /// come.
  std::size_t receive_descriptors = 0;
  /// Flow control and closing of each connection.
  stream_options stream = {};
};

/// As `tcp::server`, for Unix sockets.
class server final : public socket_server {
 public:
  /// Throws `std::invalid_argument` for a number in `settings` that makes no sense.
  server(loop& owner, protocol_factory factory, options settings = {});

  /// Binds and listens. Throws `std::system_error` with the address in its text, or sets `error`; `errc::closed` if the loop is gone.
  /// Returns the bound address.
  address listen(const address& at);
  address listen(const address& at, std::error_code& error);

 private:
  options settings_;
};

/// As `tcp::connect`.
connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done = {}, const options& settings = {});

/// Makes a transport of a connected Unix stream socket that somebody else made: one end of a `socketpair`, or a descriptor that was
/// inherited or passed (rule P8). `connection_made` is called before this returns. The descriptor becomes non-blocking, for whoever shares
/// it too, and is closed with the connection, and also on error. Errors, with the whole story in `detail()`: what is not a stream socket
/// (ENOTSOCK, EPROTOTYPE), one of another family (EAFNOSUPPORT), one that is not connected (ENOTCONN), and `errc::protocol_threw` if
/// `connection_made` threw (rule X2). `upper` must not be null (`std::invalid_argument`).
result<transport&> adopt(loop& owner, descriptor connected, protocol_ptr upper, const options& settings = {});

/// What one message of the system holds.
inline constexpr std::size_t max_descriptors = 253;

/// Writes `data`, as `transport::write` does, and passes descriptors to the peer together with its first byte: in the order of the stream,
/// however the bytes are cut, and never after a later byte (rule P7). `passed` are taken over: closed here once they have left, or when it is
/// clear that they never will. To keep one, pass a duplicate. While they wait each counts as 1 KiB for `pause_writing`.
///
/// On an error nothing was written and `passed` are still the caller's: `errc::not_supported` if `over` is no Unix socket of this library
/// (a layer over one, say); `errc::closed` where a write would be dropped; `errc::misuse`, which is reported too, if `data` is empty, if a
/// descriptor is not open, while a file is being sent (rule H1), or if there are more than `max_descriptors`; `std::errc::not_enough_memory`.
///
/// A system that refuses to pass a descriptor, because too many of this user are on their way already (ETOOMANYREFS), ends the connection
/// with that error.
std::error_code send_descriptors(transport& over, std::span<descriptor> passed, const_bytes data);

/// The next descriptor that the peer passed, close-on-exec, in the order in which they were sent; not open if none waits, and on every other
/// kind of transport. In `data_received`, those that were sent with any byte delivered so far are there, perhaps already some that belong to
/// bytes behind it: the bytes have to say how many there are. What nobody took is closed when `connection_lost` has returned.
///
/// More than `options::receive_descriptors` waiting, or a descriptor that this process cannot open because it has too many, ends the
/// connection with `errc::descriptors_lost`; the bytes that came along are not delivered.
descriptor take_descriptor(transport& from) noexcept;

}  // namespace sluice::local
