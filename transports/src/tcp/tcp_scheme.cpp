#include <sluice/error.hpp>
#include <sluice/network.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "socket/scheme_hosts.hpp"
#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

constexpr std::string_view expected_networks = "networks such as 10.0.0.0/8,2001:db8::/32, with zeros behind the prefix";

bool set_networks(std::vector<network>& networks, std::string_view text) {
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::error_code error;
    networks.push_back(network::parse(text.substr(0, comma), error));
    if (error || comma == text.size()) return !error;
    text.remove_prefix(comma + 1);
  }
}

void listen_everywhere(tcp::server& made, std::uint16_t port, ip_family family) {
  switch (family) {
    case ip_family::any: made.listen(port); return;
    case ip_family::v4: made.listen(address::any_v4(port)); return;
    case ip_family::v6: made.listen(address::any_v6(port)); return;
  }
}

// Of the ports that the system chooses, the first one serves all addresses of a name.
void listen_on_all(tcp::server& made, const std::vector<address>& addresses) {
  std::uint16_t port = addresses.front().port();
  for (const address& each : addresses) port = made.listen(each.with_port(port)).port();
}

std::unique_ptr<server> listen_tcp(loop& owner, const endpoint& at, protocol_factory factory) {
  const tcp::options settings = tcp_options(at);
  const bool everywhere = names_only_a_port(at);
  const std::vector<address> addresses = everywhere ? std::vector<address>() : addresses_of(at, settings.family);
  auto made = std::make_unique<tcp::server>(owner, std::move(factory), settings);
  everywhere ? listen_everywhere(*made, *at.port(), settings.family) : listen_on_all(*made, addresses);
  return made;
}

connecting connect_tcp(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
  const tcp::options settings = tcp_options(to);
  const host_port where = host_of(to, settings.family);
  if (where.port == 0) throw bad_endpoint(to.error_at(endpoint_part::port, "is no port to connect to; expected a number from 1 to 65535"));
  return tcp::connect(owner, where.host, where.port, std::move(factory), std::move(done), settings);
}

}  // namespace

tcp::options tcp_options(const endpoint& from) {
  using settings = stream_settings<tcp::options>;
  auto table = stream_table<tcp::options>();
  table.flag("nodelay", &settings::nodelay).flag("reuse_port", &settings::reuse_port).flag("ipv6_only", &settings::ipv6_only);
  table.duration("attempt_delay", &settings::attempt_delay, 0s, 1h)
      .integer("first_family_count", &settings::first_family_count, 0, 1000)
      .choice("family", &settings::family, {{"any", ip_family::any}, {"ipv4", ip_family::v4}, {"ipv6", ip_family::v6}})
      .integer("max_connections_per_peer", &settings::max_connections_per_peer, 0, 1'000'000'000)
      .custom("allow", expected_networks, [](settings& all, std::string_view text) { return set_networks(all.allow, text); })
      .custom("deny", expected_networks, [](settings& all, std::string_view text) { return set_networks(all.deny, text); })
      .custom("local", expected_local, [](settings& all, std::string_view text) { return read_local(text, all.local); });
  return read(table, from);
}

void add_tcp_scheme(scheme_table& table) { table.add("tcp", listen_tcp, connect_tcp); }

}  // namespace sluice::detail
