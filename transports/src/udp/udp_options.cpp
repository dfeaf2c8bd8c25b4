#include "udp_options.hpp"

#include <sluice/detail/socket_address.hpp>
#include <sluice/error.hpp>

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>

#include "socket/socket.hpp"
#include "udp_channel.hpp"

namespace sluice::udp {
namespace {

using sluice::detail::set_option;

// 0 is the system's choice.
std::error_code find_interface(std::string_view interface, unsigned& index) {
  index = 0;
  if (interface.empty()) return {};
  const char* const end = interface.data() + interface.size();
  if (const auto [stop, error] = std::from_chars(interface.data(), end, index); error == std::errc() && stop == end && index != 0) {
    char name[IF_NAMESIZE];
    return ::if_indextoname(index, name) != nullptr ? std::error_code() : system_error(ENODEV);
  }
  index = ::if_nametoindex(std::string(interface).c_str());
  return index != 0 ? std::error_code() : system_error(ENODEV);
}

std::error_code set_interface(int socket, bool is_v6, std::string_view interface) {
  unsigned index = 0;
  if (const auto error = find_interface(interface, index)) return error;
  if (is_v6) return set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index));
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(index);
  return ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0 ? std::error_code() : system_error(errno);
}

// One option for both families.
std::error_code set_by_family(int socket, bool is_v6, int v4_name, int v6_name, int value) {
  return is_v6 ? set_option(socket, IPPROTO_IPV6, v6_name, value) : set_option(socket, IPPROTO_IP, v4_name, value);
}

std::error_code apply_buffers(int socket, const options& settings) {
  std::error_code error;
  const auto set = [&](int name, std::size_t bytes) {
    if (bytes != 0 && !error) error = set_option(socket, SOL_SOCKET, name, static_cast<int>(std::min<std::size_t>(bytes, INT_MAX)));
  };
  set(SO_RCVBUF, settings.receive_buffer);
  set(SO_SNDBUF, settings.send_buffer);
  return error;
}

std::error_code apply_multicast(int socket, bool is_v6, const options& settings) {
  std::error_code error;
  if (settings.multicast_ttl)
    error = set_by_family(socket, is_v6, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, static_cast<int>(*settings.multicast_ttl));
  if (!error && settings.multicast_loopback)
    error = set_by_family(socket, is_v6, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, *settings.multicast_loopback ? 1 : 0);
  if (!error && !settings.multicast_interface.empty()) error = set_interface(socket, is_v6, settings.multicast_interface);
  return error;
}

// Groups that another socket of this machine joined are none of ours; where the system cannot tell them apart they come along.
void take_own_groups_only(int socket, bool is_v6) {
#ifdef IP_MULTICAST_ALL
  if (!is_v6) set_option(socket, IPPROTO_IP, IP_MULTICAST_ALL, 0);
#endif
#ifdef IPV6_MULTICAST_ALL
  if (is_v6) set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
}

std::error_code change_membership(datagram_transport& at, const address& group, const address* source, std::string_view interface,
                                  int option) {
  auto* const found = dynamic_cast<channel*>(&at);
  if (found == nullptr) return errc::not_supported;
  const auto fits = [&](const address& each) { return found->is_v6() ? each.is_v6() : each.is_v4(); };
  if (!group.is_multicast() || !fits(group) || (source != nullptr && (!fits(*source) || source->is_multicast()))) return errc::bad_address;
  group_source_req request{};
  unsigned index = 0;
  if (const auto error = find_interface(interface, index)) return error;
  request.gsr_interface = index;
  sluice::detail::to_sockaddr(group, request.gsr_group);
  if (source != nullptr) sluice::detail::to_sockaddr(*source, request.gsr_source);
  group_req plain{};
  plain.gr_interface = index;
  plain.gr_group = request.gsr_group;
  const void* const what = source != nullptr ? static_cast<const void*>(&request) : &plain;
  const socklen_t size = source != nullptr ? sizeof request : sizeof plain;
  return ::setsockopt(found->socket(), found->is_v6() ? IPPROTO_IPV6 : IPPROTO_IP, option, what, size) == 0 ? std::error_code()
                                                                                                            : system_error(errno);
}

template <typename Change>
std::error_code change_socket(datagram_transport& of, Change change) {
  auto* const found = dynamic_cast<channel*>(&of);
  return found == nullptr ? make_error_code(errc::not_supported) : change(found->socket(), found->is_v6());
}

}  // namespace

const char* what_is_wrong_with(const options& settings) noexcept {
  if (settings.max_datagram == 0 || settings.max_datagram > datagram_transport::largest_datagram)
    return "max_datagram is not a number from 1 to 65535";
  if (settings.ttl && (*settings.ttl == 0 || *settings.ttl > 255)) return "ttl is not a number from 1 to 255";
  if (settings.multicast_ttl && *settings.multicast_ttl > 255) return "multicast_ttl is not a number from 0 to 255";
  if (settings.datagrams.write_buffer.low > settings.datagrams.write_buffer.high) return "write_buffer.low is above write_buffer.high";
  return nullptr;
}

std::error_code apply(int socket, bool is_v6, const options& settings) {
  std::error_code error;
  if (is_v6) error = set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, settings.ipv6_only ? 1 : 0);
  if (!error && settings.reuse_port) error = set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (!error && settings.broadcast) error = set_option(socket, SOL_SOCKET, SO_BROADCAST, 1);
  if (!error && settings.ttl) error = set_by_family(socket, is_v6, IP_TTL, IPV6_UNICAST_HOPS, static_cast<int>(*settings.ttl));
  if (!error) error = apply_buffers(socket, settings);
  if (!error) error = apply_multicast(socket, is_v6, settings);
  take_own_groups_only(socket, is_v6);
  return error;
}

std::error_code join(datagram_transport& at, const address& group, std::string_view interface) {
  return change_membership(at, group, nullptr, interface, MCAST_JOIN_GROUP);
}

std::error_code leave(datagram_transport& at, const address& group, std::string_view interface) {
  return change_membership(at, group, nullptr, interface, MCAST_LEAVE_GROUP);
}

std::error_code join(datagram_transport& at, const address& group, const address& source, std::string_view interface) {
  return change_membership(at, group, &source, interface, MCAST_JOIN_SOURCE_GROUP);
}

std::error_code leave(datagram_transport& at, const address& group, const address& source, std::string_view interface) {
  return change_membership(at, group, &source, interface, MCAST_LEAVE_SOURCE_GROUP);
}

std::error_code set_multicast_interface(datagram_transport& of, std::string_view interface) {
  return change_socket(of, [&](int socket, bool is_v6) { return set_interface(socket, is_v6, interface); });
}

std::error_code set_multicast_ttl(datagram_transport& of, unsigned hops) {
  if (hops > 255) return make_error_code(std::errc::invalid_argument);
  return change_socket(of, [&](int socket, bool is_v6) {
    return set_by_family(socket, is_v6, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, static_cast<int>(hops));
  });
}

std::error_code set_multicast_loopback(datagram_transport& of, bool on) {
  return change_socket(
      of, [&](int socket, bool is_v6) { return set_by_family(socket, is_v6, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on ? 1 : 0); });
}

}  // namespace sluice::udp
