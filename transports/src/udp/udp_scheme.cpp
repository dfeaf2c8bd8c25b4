#include <sluice/error.hpp>
#include <sluice/udp.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datagram/datagram_scheme.hpp"
#include "socket/scheme_hosts.hpp"
#include "socket/socket.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

// A group, and who may send to it; an empty source is everybody.
struct membership {
  address group;
  address source;
};

struct udp_options : udp::options {
  ip_family family = ip_family::any;
  std::vector<membership> joined;
};
using settings = datagram_settings<udp_options>;

bool read_membership(std::string_view text, std::vector<membership>& joined) {
  const std::size_t at = text.find('@');
  membership wanted;
  std::error_code error;
  wanted.group = address::ip(text.substr(0, at), 0, error);
  if (!error && at != text.npos) wanted.source = address::ip(text.substr(at + 1), 0, error);
  const bool fits = at == text.npos || wanted.source.family() == wanted.group.family();
  if (error || !fits || !wanted.group.is_multicast() || wanted.source.is_multicast()) return false;
  joined.push_back(wanted);
  return true;
}

bool read_join(std::string_view text, std::vector<membership>& joined) {
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (!read_membership(text.substr(0, comma), joined)) return false;
    if (comma == text.size()) return true;
    text.remove_prefix(comma + 1);
  }
}

option_table<settings> udp_table() {
  auto table = datagram_table<udp_options>();
  table.flag("reuse_port", &settings::reuse_port)
      .flag("ipv6_only", &settings::ipv6_only)
      .flag("broadcast", &settings::broadcast)
      .size("receive_buffer", &settings::receive_buffer, 0, 1U << 30)
      .integer("ttl", &settings::ttl, 1, 255)
      .integer("multicast_ttl", &settings::multicast_ttl, 0, 255)
      .flag("multicast_loopback", &settings::multicast_loopback)
      .text("interface", &settings::multicast_interface)
      .choice("family", &settings::family, {{"any", ip_family::any}, {"ipv4", ip_family::v4}, {"ipv6", ip_family::v6}})
      .custom("local", expected_local, [](settings& all, std::string_view text) { return read_local(text, all.local); })
      .custom("join", "multicast groups such as 239.1.2.3 or ff02::123, or GROUP@SOURCE, separated by commas",
              [](settings& all, std::string_view text) { return read_join(text, all.joined); });
  return table;
}

// "udp://:7000": one socket for both families where the machine has both.
datagram_transport& open_everywhere(loop& owner, const endpoint& at, datagram_protocol_ptr upper, settings& wanted) {
  const std::uint16_t port = *at.port();
  if (wanted.family == ip_family::any) wanted.ipv6_only = false;
  if (wanted.family == ip_family::v4) return udp::open(owner, address::any_v4(port), std::move(upper), wanted);
  std::error_code error;
  const descriptor probe = open_datagram_socket(address::any_v6(port), error);
  const bool lacks_v6 = error == std::errc::address_family_not_supported && wanted.family == ip_family::any;
  return udp::open(owner, lacks_v6 ? address::any_v4(port) : address::any_v6(port), std::move(upper), wanted);
}

void join_groups(datagram_transport& opened, const endpoint& at, const settings& wanted) {
  for (const membership& each : wanted.joined) {
    const std::error_code error = each.source.empty() ? udp::join(opened, each.group, wanted.multicast_interface)
                                                      : udp::join(opened, each.group, each.source, wanted.multicast_interface);
    if (!error) continue;
    opened.abort();
    throw std::system_error(error, "joining " + each.group.host() + " for " + at.to_string());
  }
}

datagram_transport& open_udp(loop& owner, const endpoint& at, datagram_protocol_ptr upper) {
  settings wanted = read_datagrams(udp_table(), at);
  datagram_transport& opened = names_only_a_port(at) ? open_everywhere(owner, at, std::move(upper), wanted)
                                                     : udp::open(owner, addresses_of(at, wanted.family).front(), std::move(upper), wanted);
  join_groups(opened, at, wanted);
  return opened;
}

datagram_transport& connect_udp(loop& owner, const endpoint& to, datagram_protocol_ptr upper) {
  const settings wanted = read_datagrams(udp_table(), to);
  const host_port where = host_of(to, wanted.family);
  if (where.port == 0) throw bad_endpoint(to.error_at(endpoint_part::port, "is no port to connect to; expected a number from 1 to 65535"));
  datagram_transport& opened = udp::connect(owner, addresses_of(to, wanted.family).front(), std::move(upper), wanted);
  join_groups(opened, to, wanted);
  return opened;
}

}  // namespace

void add_udp_scheme(scheme_table& table) { table.add_datagrams("udp", open_udp, connect_udp); }

}  // namespace sluice::detail
