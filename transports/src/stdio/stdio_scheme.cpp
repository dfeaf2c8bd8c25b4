#include <sluice/stdio.hpp>

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <memory>
#include <utility>

#include "client/posted_start.hpp"
#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

using settings = stream_settings<stdio::options>;

void check_form(const endpoint& from) {
  if (!from.host().empty() || from.port() || !from.path().empty())
    throw bad_endpoint(from.error_at(text_range{from.scheme().size() + 1, from.text().size() - from.scheme().size() - 1},
                                     "stands behind stdio:, which has neither a host nor a path; expected stdio: and options"));
}

}  // namespace

void add_stdio_scheme(scheme_table& table) {
  table.add("stdio", {}, [](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
    check_form(to);
    auto options = stream_only_table<stdio::options>();
    options.flag("raw", &settings::raw);
    const auto open = [&owner, factory = std::move(factory), wanted = read(options, to)]() -> std::optional<result<transport&>> {
      auto upper = make_protocol(owner, factory);
      if (upper == nullptr) return make_error_code(errc::factory_failed);
      return stdio::open(owner, std::move(upper), wanted);
    };
    return connecting(std::make_unique<posted_start>(owner, open, std::move(done), 0ms));
  });
}

}  // namespace sluice::detail
