#pragma once

#include <sluice/address.hpp>
#include <sluice/datagram_protocol.hpp>
#include <sluice/datagram_transport.hpp>
#include <sluice/loop.hpp>

#include <cstddef>
#include <optional>
#include <system_error>

/// Unix datagram sockets: whole messages, in order, and none is lost while both ends are there. A receiver that does not read makes its
/// senders wait: `pause_writing` comes then. One that is gone is ECONNREFUSED in `error_received`.
namespace sluice::local {

/// Settings of one socket.
struct datagram_socket_options {
  /// The longest datagram that is received, in bytes, 1 to 65535; a longer one is `errc::message_truncated` (rule D4).
  std::size_t max_datagram = datagram_transport::largest_datagram;
  /// What the system keeps of datagrams that were sent and not read, in bytes, at the sender's; 0 leaves it to the system.
  std::size_t send_buffer = 0;
  /// Permissions of the socket file; unset: what the umask leaves of 0777.
  std::optional<unsigned> mode = {};
  /// A socket file that nobody has open is replaced; anything else at its place is an error (rule S13).
  bool remove_stale = true;
  /// The file is removed at the end if it is still the same.
  bool remove_file = true;
  /// For `connect_datagrams`: the name of this end, by which the peer can answer. Empty: it has none (rule D14).
  address local = {};
  /// Queue and closing.
  datagram_options datagrams = {};
};

/// Opens a socket at a path or an abstract name, or without a name (`address::unix_unnamed()`): that can only send. It takes datagrams from
/// everybody, and answers those whose senders have a name. A sender without a name is an unnamed address in `datagram_received`. A datagram
/// for a full receiver is tried again from time to time, and others wait behind it. Throws `std::system_error` with the address in its
/// text, `errc::bad_address` for one that is no Unix address.
datagram_transport& open_datagrams(loop& owner, const address& at, datagram_protocol_ptr upper,
                                   const datagram_socket_options& settings = {});
/// As above; sets `error` and returns null instead of throwing `std::system_error`.
datagram_transport* open_datagrams(loop& owner, const address& at, datagram_protocol_ptr upper, const datagram_socket_options& settings,
                                   std::error_code& error);

/// Opens a socket that sends to `to` and takes datagrams from there alone. ECONNREFUSED if nobody is there.
datagram_transport& connect_datagrams(loop& owner, const address& to, datagram_protocol_ptr upper,
                                      const datagram_socket_options& settings = {});
datagram_transport* connect_datagrams(loop& owner, const address& to, datagram_protocol_ptr upper, const datagram_socket_options& settings,
                                      std::error_code& error);

}  // namespace sluice::local
