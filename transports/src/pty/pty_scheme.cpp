#include <sluice/pty.hpp>

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/posted_start.hpp"
#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

using settings = stream_settings<pty::options>;

option_table<settings> pty_table() {
  auto table = stream_only_table<pty::options>();
  table.choice("hangup", &settings::on_hangup, {{"keep", pty::hangup::keep}, {"end", pty::hangup::end}}).mode("mode", &settings::mode);
  return table;
}

std::string link_in(const endpoint& from) {
  std::string path(from.require_path("pty:/run/name"));
  if (path.find('\0') != path.npos)
    throw bad_endpoint(from.error_at(endpoint_part::path, "holds a zero byte; expected a path without one"));
  return path;
}

}  // namespace

void add_pty_scheme(scheme_table& table) {
  table.add("pty", {}, [](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
    const auto open = [&owner, link = link_in(to), factory = std::move(factory),
                       wanted = read(pty_table(), to)]() -> std::optional<result<transport&>> {
      auto upper = make_protocol(owner, factory);
      if (upper == nullptr) return make_error_code(errc::factory_failed);
      return pty::open(owner, link, std::move(upper), wanted);
    };
    return connecting(std::make_unique<posted_start>(owner, open, std::move(done), 0ms));
  });
}

}  // namespace sluice::detail
