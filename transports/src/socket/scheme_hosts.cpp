#include "scheme_hosts.hpp"

#include <string>

#include "scheme_options.hpp"

namespace sluice::detail {
namespace {

std::string_view what_is_wrong_with(std::string_view host) {
  std::error_code error;
  address::ip(host.substr(0, host.find('%')), 0, error);
  return error ? "is neither an address nor a host name; expected one such as 127.0.0.1, [::1] or localhost"
               : "has a scope that this machine does not have; expected the name or the number of an interface behind \"%\"";
}

}  // namespace

host_port host_of(const endpoint& from, ip_family family) {
  const host_port where = from.require_host_port();
  std::error_code not_numeric;
  const address numeric = address::ip(where.host, where.port, not_numeric);
  if (not_numeric && !is_host_name(where.host)) throw bad_endpoint(from.error_at(endpoint_part::host, what_is_wrong_with(where.host)));
  if (family == (numeric.is_v4() ? ip_family::v6 : ip_family::v4) && !not_numeric)
    throw bad_endpoint(from.error_at(where_is(from, "family"), "is not the family of the host; expected that, or any"));
  return where;
}

std::vector<address> addresses_of(const endpoint& from, ip_family family) {
  const host_port where = host_of(from, family);
  std::error_code error;
  const address numeric = address::ip(where.host, where.port, error);
  if (!error) return {numeric};
  std::vector<address> found = system_lookup(std::string(where.host), family, error);
  if (error) throw std::system_error(error, "listening on " + from.to_string());
  for (address& each : found) each = each.with_port(where.port);
  return found;
}

bool names_only_a_port(const endpoint& at) { return at.host().empty() && at.port() && at.path().empty(); }

bool read_local(std::string_view text, address& local) {
  std::error_code error;
  local = address::ip(text, 0, error);
  if (error) local = address::parse(text, error);
  return !error && local.is_ip();
}

}  // namespace sluice::detail
