#include <sluice/schemes.hpp>

#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/option_table.hpp>
#include <sluice/tcp.hpp>

#include <optional>
#include <string>
#include <utility>

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

tcp::options tcp_options(const endpoint& from) {
  using settings = stream_settings<tcp::options>;
  auto table = stream_table<tcp::options>();
  table.flag("nodelay", &settings::nodelay).flag("reuse_port", &settings::reuse_port).flag("ipv6_only", &settings::ipv6_only);
  return read(table, from);
}

address tcp_address(const endpoint& from) {
  const host_port where = from.require_host_port();
  std::error_code error;
  address result = address::ip(where.host, where.port, error);
  if (error) throw bad_endpoint(from.error_at(endpoint_part::host, "is not an address; expected one such as 127.0.0.1 or [::1]"));
  return result;
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
  add_stream<tcp::server, tcp::connect>(table, "tcp", tcp_address, tcp_options);
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
