#include <sluice/process.hpp>

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/posted_start.hpp"
#include "local/accounts.hpp"
#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

struct exec_options {
  process::options child = {.program = {}};
  bool clean_env = false;
  bool pty = false;
  process::terminal_size size = {};
  stream_options stream = {};
};
using settings = stream_settings<exec_options>;

bool add_variable(settings& all, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == text.npos || equals == 0 || text.find('\0') != text.npos) return false;
  all.child.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  return true;
}

option_table<settings> exec_table() {
  using process::stream;
  auto table = stream_only_table<exec_options>();
  table
      .texts(
          "arg", [](settings & all) -> auto& { return all.child.arguments; })
      .text(
          "cwd", [](settings & all) -> auto& { return all.child.working_directory; })
      .customs("env", "NAME=VALUE", add_variable)
      .flag("clean_env", &settings::clean_env)
      .custom("user", "the name or the number of a user",
              [](settings& all, std::string_view text) { return (all.child.user = user_number(text)).has_value(); })
      .custom("group", "the name or the number of a group",
              [](settings& all, std::string_view text) { return (all.child.group = group_number(text)).has_value(); })
      .flag(
          "new_session", [](settings & all) -> auto& { return all.child.new_session; })
      .choice("stderr", [](settings & all) -> auto& { return all.child.error; },
              {{"inherit", stream::inherit}, {"null", stream::null}, {"merge", stream::merge}})
      .flag("pty", &settings::pty)
      .integer(
          "rows", [](settings & all) -> auto& { return all.size.rows; }, 1, 65535)
      .integer(
          "columns", [](settings & all) -> auto& { return all.size.columns; }, 1, 65535);
  return table;
}

process::options child_of(const endpoint& from) {
  const exec_options all = read(exec_table(), from);
  process::options child = all.child;
  child.program = from.require_path("exec:/usr/bin/bc?arg=-l");
  if (child.program.find('\0') != child.program.npos)
    throw bad_endpoint(from.error_at(endpoint_part::path, "holds a zero byte; expected the path or the name of a program"));
  child.inherit_environment = !all.clean_env;
  if (all.pty) child.terminal = all.size;
  child.pipes = all.stream;
  return child;
}

}  // namespace

void add_exec_scheme(scheme_table& table) {
  table.add("exec", {}, [](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
    const auto start = [&owner, factory = std::move(factory), child = child_of(to)]() -> std::optional<result<transport&>> {
      auto upper = make_protocol(owner, factory);
      if (upper == nullptr) return make_error_code(errc::factory_failed);
      return process::open(owner, child, std::move(upper));
    };
    return connecting(std::make_unique<posted_start>(owner, start, std::move(done), 0ms));
  });
}

}  // namespace sluice::detail
