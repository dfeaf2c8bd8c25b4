#pragma once

#include <sluice/address.hpp>
#include <sluice/datagram_protocol.hpp>
#include <sluice/datagram_transport.hpp>
#include <sluice/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

/// UDP over IPv4 and IPv6.
///
/// A network interface is named by its name ("eth0"), by its number ("2"), or by "" for the one that the system chooses.
namespace sluice::udp {

/// Settings of one socket.
struct options {
  /// Several sockets may be open at one port (SO_REUSEPORT): the system spreads datagrams over them, and gives each its own copy of those
  /// that go to a group. Without it, a port that is taken is an error (rules D11, D12).
  bool reuse_port = false;
  /// An IPv6 socket takes no IPv4 datagrams. Off: they come from and go to IPv4-mapped addresses (`::ffff:127.0.0.1`).
  bool ipv6_only = true;
  /// Datagrams may go to broadcast addresses; without it they are EACCES in `error_received`. `connect` to one then takes answers from
  /// everybody (rule D10).
  bool broadcast = false;
  /// The longest datagram that is received, in bytes, 1 to 65535; a longer one is `errc::message_truncated` (rule D4).
  std::size_t max_datagram = datagram_transport::largest_datagram;
  /// What the system keeps of datagrams that wait to be read, in bytes; 0 leaves it to the system, which has a limit of its own.
  std::size_t receive_buffer = 0;
  /// As above, of those that wait to be sent.
  std::size_t send_buffer = 0;
  /// Hops that datagrams may make, 1 to 255. Unset: the system's choice, 64 as a rule.
  std::optional<unsigned> ttl = {};
  /// The same for those that go to a group, 0 (this machine) to 255. Unset: 1, this network.
  std::optional<unsigned> multicast_ttl = {};
  /// Datagrams that go to a group also reach the members on this machine. Unset: on.
  std::optional<bool> multicast_loopback = {};
  /// The interface by which datagrams to groups leave.
  std::string multicast_interface = {};
  /// For `connect`: where datagrams come from. Empty leaves it to the system, and so does port 0 for the port.
  address local = {};
  /// Queue and closing.
  datagram_options datagrams = {};
};

/// Opens a socket that is bound to `at`, port 0 letting the system choose (`info<local_address>()` tells), and takes datagrams from
/// everybody. `upper` has got `connection_made` when this returns. Throws `std::system_error` with the address in its text,
/// `errc::bad_address` for one that is not IP.
datagram_transport& open(loop& owner, const address& at, datagram_protocol_ptr upper, const options& settings = {});
/// As above; sets `error` and returns null instead of throwing `std::system_error`.
datagram_transport* open(loop& owner, const address& at, datagram_protocol_ptr upper, const options& settings, std::error_code& error);

/// Opens a socket that sends to `to` and takes datagrams from there alone (rule D6), and so hears of datagrams that nobody took (rule D5).
/// Nothing is sent and nothing waited for. Everything else as for `open`.
datagram_transport& connect(loop& owner, const address& to, datagram_protocol_ptr upper, const options& settings = {});
datagram_transport* connect(loop& owner, const address& to, datagram_protocol_ptr upper, const options& settings, std::error_code& error);

// For transports of `open` and `connect`; any other is `errc::not_supported`. All return an error or an empty code, and have effect at
// once.

/// From now on datagrams to `group` (its port does not matter) arrive here, by `interface`: those to the port that this socket is bound to.
/// `errc::bad_address` for an address that is no group or of another family (rule D11), ENODEV for an interface that there is not,
/// EADDRINUSE for a group that was joined already.
std::error_code join(datagram_transport& at, const address& group, std::string_view interface = {});
/// EADDRNOTAVAIL if it was not joined.
std::error_code leave(datagram_transport& at, const address& group, std::string_view interface = {});
/// As `join`, for the datagrams of `source` alone; may be called for several sources.
std::error_code join(datagram_transport& at, const address& group, const address& source, std::string_view interface = {});
std::error_code leave(datagram_transport& at, const address& group, const address& source, std::string_view interface = {});

/// As the options of these names.
std::error_code set_multicast_interface(datagram_transport& of, std::string_view interface);
std::error_code set_multicast_ttl(datagram_transport& of, unsigned hops);
std::error_code set_multicast_loopback(datagram_transport& of, bool on);

}  // namespace sluice::udp
