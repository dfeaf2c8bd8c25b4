#include <sluice/local/datagrams.hpp>

#include <string_view>
#include <utility>

#include "datagram/datagram_scheme.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

using settings = datagram_settings<local::datagram_socket_options>;
using read_name = address (*)(std::string_view, std::error_code&) noexcept;

option_table<settings> local_table(read_name read) {
  auto table = datagram_table<local::datagram_socket_options>();
  table.custom("local", "the name of a Unix socket of the same kind", [read](settings& all, std::string_view text) {
    std::error_code error;
    all.local = read(text, error);
    return !error;
  });
  return table;
}

option_table<settings> path_table() {
  auto table = local_table([](std::string_view text, std::error_code& error) noexcept { return address::unix_path(text, error); });
  table.mode("mode", &settings::mode).flag("remove_stale", &settings::remove_stale).flag("remove_file", &settings::remove_file);
  return table;
}

option_table<settings> abstract_table() {
  return local_table([](std::string_view text, std::error_code& error) noexcept { return address::unix_abstract(text, error); });
}

template <typename ReadAddress>
void add(scheme_table& table, const char* name, ReadAddress read_address, option_table<settings> (*options)()) {
  table.add_datagrams(
      name,
      [=](loop& owner, const endpoint& at, datagram_protocol_ptr upper) -> datagram_transport& {
        return local::open_datagrams(owner, read_address(at), std::move(upper), read_datagrams(options(), at));
      },
      [=](loop& owner, const endpoint& to, datagram_protocol_ptr upper) -> datagram_transport& {
        return local::connect_datagrams(owner, read_address(to), std::move(upper), read_datagrams(options(), to));
      });
}

}  // namespace

void add_local_datagram_schemes(scheme_table& table) {
  add(
      table, "unix-dgram", [](const endpoint& from) { return path_address(from, "unix-dgram:/run/name.sock"); }, path_table);
  add(
      table, "unix-dgram-abstract", [](const endpoint& from) { return abstract_address(from, "unix-dgram-abstract:name"); },
      abstract_table);
}

}  // namespace sluice::detail
