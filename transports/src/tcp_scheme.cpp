#include <sluice/error.hpp>
#include <sluice/network.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scheme_options.hpp"
#include "socket_schemes.hpp"

namespace sluice::detail {
namespace {

// An address to come from, with or without a port.
bool set_local(address& local, std::string_view text) {
  std::error_code error;
  local = address::ip(text, 0, error);
  if (error) local = address::parse(text, error);
  return !error && local.is_ip();
}

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

std::string_view what_is_wrong_with(std::string_view host) {
  std::error_code error;
  address::ip(host.substr(0, host.find('%')), 0, error);
  return error ? "is neither an address nor a host name; expected one such as 127.0.0.1, [::1] or localhost"
               : "has a scope that this machine does not have; expected the name or the number of an interface behind \"%\"";
}

host_port tcp_host(const endpoint& from, ip_family family) {
  const host_port where = from.require_host_port();
  std::error_code not_numeric;
  const address numeric = address::ip(where.host, where.port, not_numeric);
  if (not_numeric && !is_host_name(where.host)) throw bad_endpoint(from.error_at(endpoint_part::host, what_is_wrong_with(where.host)));
  if (family == (numeric.is_v4() ? ip_family::v6 : ip_family::v4) && !not_numeric)
    throw bad_endpoint(from.error_at(where_is(from, "family"), "is not the family of the host; expected that, or any"));
  return where;
}

// Asks the system's resolver and waits for it, as the whole call does.
std::vector<address> tcp_addresses(const endpoint& from, ip_family family) {
  const host_port where = tcp_host(from, family);
  std::error_code error;
  const address numeric = address::ip(where.host, where.port, error);
  if (!error) return {numeric};
  std::vector<address> found = system_lookup(std::string(where.host), family, error);
  if (error) throw std::system_error(error, "listening on " + from.to_string());
  for (address& each : found) each = each.with_port(where.port);
  return found;
}

// "tcp://:7000" means every interface.
bool names_only_a_port(const endpoint& at) { return at.host().empty() && at.port() && at.path().empty(); }

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
  const std::vector<address> addresses = everywhere ? std::vector<address>() : tcp_addresses(at, settings.family);
  auto made = std::make_unique<tcp::server>(owner, std::move(factory), settings);
  everywhere ? listen_everywhere(*made, *at.port(), settings.family) : listen_on_all(*made, addresses);
  return made;
}

connecting connect_tcp(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
  const tcp::options settings = tcp_options(to);
  const host_port where = tcp_host(to, settings.family);
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
      .custom("local", "an address such as 127.0.0.1, ::1 or [::1]:7000",
              [](settings& all, std::string_view text) { return set_local(all.local, text); });
  return read(table, from);
}

void add_tcp_scheme(scheme_table& table) { table.add("tcp", listen_tcp, connect_tcp); }

}  // namespace sluice::detail
