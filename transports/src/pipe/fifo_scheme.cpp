#include <sluice/pipe.hpp>

#include <string>
#include <utility>

#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

using settings = stream_settings<pipe::fifo_options>;

option_table<settings> fifo_table() {
  auto table = stream_only_table<pipe::fifo_options>();
  table
      .choice("direction", &settings::to_go,
              {{"read", pipe::direction::read}, {"write", pipe::direction::write}, {"both", pipe::direction::both}})
      .flag("create", &settings::create)
      .mode("mode", &settings::mode)
      .duration("connect_timeout", &settings::connect_timeout, 0s, 24h);
  return table;
}

std::string path_of(const endpoint& from) {
  std::string path(from.require_path("fifo:/run/name.fifo"));
  if (path.find('\0') != path.npos)
    throw bad_endpoint(from.error_at(endpoint_part::path, "holds a zero byte; expected a path without one"));
  return path;
}

}  // namespace

void add_fifo_scheme(scheme_table& table) {
  table.add("fifo", {}, [](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
    std::string path = path_of(to);
    return pipe::open_fifo(owner, std::move(path), std::move(factory), std::move(done), read(fifo_table(), to));
  });
}

}  // namespace sluice::detail
