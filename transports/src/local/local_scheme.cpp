#include <sluice/error.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "accounts.hpp"
#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

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
  table.mode("mode", &settings::mode)
      .custom("user", "the name or the number of a user",
              [](settings& all, std::string_view text) { return (all.user = user_number(text)).has_value(); })
      .custom("group", "the name or the number of a group",
              [](settings& all, std::string_view text) { return (all.group = group_number(text)).has_value(); })
      .flag("remove_stale", &settings::remove_stale)
      .flag("remove_file", &settings::remove_file);
  return read(table, from);
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

address path_address(const endpoint& from, std::string_view example) {
  std::error_code error;
  address result = address::unix_path(from.require_path(example), error);
  if (error) throw_bad_name(from, error);
  return result;
}

address abstract_address(const endpoint& from, std::string_view example) {
  std::error_code error;
  address result = address::unix_abstract(from.require_path(example), error);
  if (error) throw_bad_name(from, error);
  return result;
}

local::options local_options(const endpoint& from) { return read(local_table(), from); }

void add_local_schemes(scheme_table& table) {
  add_stream<local::server, local::connect>(
      table, "unix", [](const endpoint& from) { return path_address(from, "unix:/run/name.sock"); }, path_options);
  add_stream<local::server, local::connect>(
      table, "unix-abstract", [](const endpoint& from) { return abstract_address(from, "unix-abstract:name"); }, local_options);
}

}  // namespace sluice::detail
