#include <sluice/schemes.hpp>

#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/option_table.hpp>
#include <sluice/tcp.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
namespace {

using namespace std::chrono_literals;

// What the options of every stream transport have in common. The marks are one setting, so each alone brings the other along.
template <typename Options>
struct stream_settings : Options {
  write_buffer_limits limits;
};

template <typename Options>
option_table<stream_settings<Options>> stream_table() {
  using settings = stream_settings<Options>;
  option_table<settings> table;
  const auto add_deadline = [&table](std::string_view name, std::chrono::milliseconds stream_options::*which) {
    table.duration(
        name, [which](settings & all) -> auto& { return all.stream.*which; }, 0s, 24h * 365);
  };
  add_deadline("first_byte", &stream_options::first_byte_timeout);
  add_deadline("idle", &stream_options::idle_timeout);
  add_deadline("write_stall", &stream_options::write_stall_timeout);
  add_deadline("lifetime", &stream_options::lifetime);
  table.integer("backlog", &settings::backlog, 1, 65535)
      .duration("connect_timeout", &settings::connect_timeout, 0s, 24h)
      .size(
          "high", [](settings & all) -> auto& { return all.limits.high; })
      .size(
          "low", [](settings & all) -> auto& { return all.limits.low; })
      .size(
          "max_write_buffer", [](settings & all) -> auto& { return all.stream.max_write_buffer; })
      .duration(
          "close_timeout", [](settings & all) -> auto& { return all.stream.close_timeout; }, 0s, 24h)
      .duration(
          "linger", [](settings & all) -> auto& { return all.stream.linger; }, 0s, 1h);
  return table;
}

text_range where_is(const endpoint& from, std::string_view option) {
  for (const endpoint_option& each : from.options())
    if (each.name == option) return each.value_at;
  return {};
}

template <typename Options>
Options read(const option_table<stream_settings<Options>>& table, const endpoint& from) {
  stream_settings<Options> settings = table.read(from);
  const auto marks = resolve(settings.limits, settings.stream.write_buffer);
  if (!marks) throw bad_endpoint(from.error_at(where_is(from, "low"), "is above the option high; expected low to be at most high"));
  settings.stream.write_buffer = *marks;
  return settings;
}

// An address to come from, with or without a port.
bool set_local(address& local, std::string_view text) {
  std::error_code error;
  local = address::ip(text, 0, error);
  if (error) local = address::parse(text, error);
  return !error && local.is_ip();
}

tcp::options tcp_options(const endpoint& from) {
  using settings = stream_settings<tcp::options>;
  auto table = stream_table<tcp::options>();
  table.flag("nodelay", &settings::nodelay).flag("reuse_port", &settings::reuse_port).flag("ipv6_only", &settings::ipv6_only);
  table.duration("attempt_delay", &settings::attempt_delay, 0s, 1h)
      .integer("first_family_count", &settings::first_family_count, 0, 1000)
      .choice("family", &settings::family, {{"any", ip_family::any}, {"ipv4", ip_family::v4}, {"ipv6", ip_family::v6}})
      .custom("local", "an address such as 127.0.0.1, ::1 or [::1]:7000",
              [](settings& all, std::string_view text) { return set_local(all.local, text); });
  return read(table, from);
}

host_port tcp_host(const endpoint& from, ip_family family) {
  const host_port where = from.require_host_port();
  std::error_code not_numeric;
  const address numeric = address::ip(where.host, where.port, not_numeric);
  if (not_numeric && !is_host_name(where.host))
    throw bad_endpoint(
        from.error_at(endpoint_part::host, "is neither an address nor a host name; expected one such as 127.0.0.1, [::1] or localhost"));
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

// Of the ports that the system chooses, the first one serves all addresses of a name.
std::unique_ptr<server> listen_tcp(loop& owner, const endpoint& at, protocol_factory factory) {
  const tcp::options settings = tcp_options(at);
  const std::vector<address> addresses = tcp_addresses(at, settings.family);
  auto made = std::make_unique<tcp::server>(owner, std::move(factory), settings);
  std::uint16_t port = addresses.front().port();
  for (const address& each : addresses) port = made->listen(each.with_port(port)).port();
  return made;
}

connecting connect_tcp(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
  const tcp::options settings = tcp_options(to);
  const host_port where = tcp_host(to, settings.family);
  return tcp::connect(owner, where.host, where.port, std::move(factory), std::move(done), settings);
}

[[noreturn]] void throw_bad_name(const endpoint& from, std::error_code error) {
  const std::string most = std::to_string(address::max_unix_name());
  const bool too_long = error == std::errc::filename_too_long;
  throw bad_endpoint(from.error_at(endpoint_part::path, too_long
                                                            ? "is too long for the name of a socket; expected at most " + most + " bytes"
                                                            : "holds a zero byte; expected a path without one"));
}

option_table<stream_settings<local::options>> local_table() {
  using settings = stream_settings<local::options>;
  auto table = stream_table<local::options>();
  table.integer("receive_descriptors", &settings::receive_descriptors, 0, 65535);
  return table;
}

local::options path_options(const endpoint& from) {
  using settings = stream_settings<local::options>;
  auto table = local_table();
  table.mode("mode", &settings::mode).flag("remove_stale", &settings::remove_stale);
  return read(table, from);
}

address path_address(const endpoint& from) {
  std::error_code error;
  address result = address::unix_path(from.require_path("unix:/run/name.sock"), error);
  if (error) throw_bad_name(from, error);
  return result;
}

address abstract_address(const endpoint& from) {
  std::error_code error;
  address result = address::unix_abstract(from.require_path("unix-abstract:name"), error);
  if (error) throw_bad_name(from, error);
  return result;
}

// One row: how the endpoint is read and which transport gets the result.
template <typename Server, auto Connect, typename ReadAddress, typename ReadOptions>
void add_stream(scheme_table& table, const char* name, ReadAddress read_address, ReadOptions read_options) {
  table.add(
      name,
      [=](loop& owner, const endpoint& at, protocol_factory factory) -> std::unique_ptr<server> {
        const address where = read_address(at);
        auto made = std::make_unique<Server>(owner, std::move(factory), read_options(at));
        made->listen(where);
        return made;
      },
      [=](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
        return Connect(owner, read_address(to), std::move(factory), std::move(done), read_options(to));
      });
}

}  // namespace

scheme_table transport_schemes() {
  scheme_table table;
  const auto abstract_options = [](const endpoint& from) { return read(local_table(), from); };
  table.add("tcp", listen_tcp, connect_tcp);
  add_stream<local::server, local::connect>(table, "unix", path_address, path_options);
  add_stream<local::server, local::connect>(table, "unix-abstract", abstract_address, abstract_options);
  return table;
}

std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory) {
  return transport_schemes().listen(owner, at, std::move(factory));
}

connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
  return transport_schemes().connect(owner, to, std::move(factory), std::move(done));
}

}  // namespace sluice
