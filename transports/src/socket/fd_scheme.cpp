#include <sluice/error.hpp>

#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "adopt.hpp"
#include "local/passed_descriptors.hpp"
#include "scheme_options.hpp"
#include "socket.hpp"
#include "socket_schemes.hpp"

namespace sluice::detail {
namespace {

[[noreturn]] void refuse(const endpoint& at, const std::string& problem) { throw bad_endpoint(at.error_at(endpoint_part::host, problem)); }

std::string_view name_in(const endpoint& at) {
  const char* const form = "; expected a form such as fd://3 or fd://NAME";
  if (at.host().empty() || at.port() || !at.path().empty())
    throw bad_endpoint(at.error_at(text_range{at.scheme().size() + 1, at.text().size() - at.scheme().size() - 1},
                                   std::string("is not the number or the name of a descriptor") + form));
  return at.host();
}

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

void require_listening(const endpoint& at, int socket) {
  const auto any = [](const address& own) { return own.is_ip() || own.is_unix(); };
  if (const auto error = prepare_listening(socket, any)) refuse(at, "is not a listening stream socket: " + error.message());
}

// Ours only once it is known to be of use.
descriptor take_number(const endpoint& at, int number) {
  require_listening(at, number);
  if (!claim_descriptor(number)) refuse(at, "was taken already; expected each descriptor once");
  return descriptor(number);
}

std::vector<descriptor> take_name(const endpoint& at, std::string_view name) {
  std::vector<descriptor> found = activation::take(name);
  if (!found.empty()) return found;
  std::set<std::string> others;
  for (const auto& each : activation::passed()) others.insert(each.name);
  if (others.empty())
    refuse(at, "is not the name of a descriptor that was passed to this process; there is none, or none that is not taken");
  std::string names;
  for (const std::string& each : others) names += (names.empty() ? "" : ", ") + each;
  refuse(at, "is not the name of a descriptor that was passed to this process and is not taken; expected one of " + names);
}

std::vector<descriptor> take(const endpoint& at) {
  const std::string_view name = name_in(at);
  const auto number = number_in(name);
  if (!number) return take_name(at, name);
  std::vector<descriptor> found;
  found.push_back(take_number(at, *number));
  return found;
}

bool is_unix(const descriptor& socket) { return bound_address(socket.get()).is_unix(); }

template <typename Server, typename Options>
std::unique_ptr<server> serve(loop& owner, protocol_factory factory, Options settings, std::vector<descriptor> sockets) {
  auto made = std::make_unique<Server>(owner, std::move(factory), std::move(settings));
  for (descriptor& each : sockets) made->adopt(std::move(each));
  return made;
}

std::unique_ptr<server> listen_fd(loop& owner, const endpoint& at, protocol_factory factory) {
  std::vector<descriptor> sockets = take(at);
  for (const descriptor& each : sockets) {
    require_listening(at, each.get());
    if (is_unix(each) != is_unix(sockets.front())) refuse(at, "is the name of TCP and of Unix sockets; expected a name for each kind");
  }
  if (is_unix(sockets.front())) return serve<local::server>(owner, std::move(factory), local_options(at), std::move(sockets));
  return serve<tcp::server>(owner, std::move(factory), tcp_options(at), std::move(sockets));
}

}  // namespace

void add_fd_scheme(scheme_table& table) { table.add("fd", listen_fd, {}); }

}  // namespace sluice::detail
