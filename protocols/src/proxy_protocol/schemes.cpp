#include <sluice/proxy_protocol/schemes.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sluice/loop.hpp>
#include <sluice/option_table.hpp>
#include <sluice/proxy_protocol/sender.hpp>

namespace sluice::proxy_protocol {
namespace {

using namespace std::chrono_literals;

struct server_settings {
  receiver_options options;
  std::optional<proxy_protocol::others> others;
  std::optional<std::chrono::milliseconds> timeout;
};

struct client_settings {
  std::optional<version> format;
};

bool read_proxies(receiver_options& into, std::string_view text) {
  for (;;) {
    const std::string_view one = text.substr(0, text.find(','));
    std::error_code error;
    if (one == "unix")
      into.trust_without_ip = true;
    else
      into.trusted.push_back(network::parse(one, error));
    if (error) return false;
    if (one.size() == text.size()) return true;
    text.remove_prefix(one.size() + 1);
  }
}

const option_table<server_settings>& server_table() {
  static const auto table =
      option_table<server_settings>()
          .custom("proxy_protocol", "networks of proxies such as 10.0.0.0/8,192.0.2.7, or unix, separated by commas",
                  [](server_settings& all, std::string_view text) { return read_proxies(all.options, text); })
          .choice("proxy_protocol_others", &server_settings::others, {{"refuse", others::refuse}, {"serve", others::serve}})
          .duration("proxy_protocol_timeout", &server_settings::timeout, 1ms, 1h);
  return table;
}

const option_table<client_settings>& client_table() {
  static const auto table =
      option_table<client_settings>().choice("send_proxy_protocol", &client_settings::format, {{"v1", version::v1}, {"v2", version::v2}});
  return table;
}

protocol_factory wrap_server(loop& owner, endpoint& from, protocol_factory upper, const failure_handler& on_failure) {
  server_settings all;
  server_table().take(from, all);
  if (all.options.trusted.empty() && !all.options.trust_without_ip) {
    if (!all.others && !all.timeout) return upper;
    throw bad_endpoint(from.error_at(text_range{from.text().size(), 0}, "no proxy is trusted; expected ?proxy_protocol=NETWORKS"));
  }
  all.options.others = all.others.value_or(all.options.others);
  all.options.timeout = all.timeout.value_or(all.options.timeout);
  all.options.on_failure = on_failure;
  return receive(owner, std::move(upper), std::move(all.options));
}

protocol_factory wrap_client(loop& owner, endpoint& from, protocol_factory upper, const header_source& source) {
  client_settings all;
  client_table().take(from, all);
  if (!all.format) return upper;
  const std::optional<header> given = source ? source(*all.format) : std::nullopt;
  if (!given) return wrap<sender>(owner, std::move(upper), *all.format);
  std::string bytes;
  if (const std::error_code error = write_header(bytes, *given)) throw std::system_error(error, "send_proxy_protocol");
  return wrap<sender>(owner, std::move(upper), std::move(bytes));
}

}  // namespace

void add_options(scheme_table& table, header_source source, failure_handler on_failure) {
  const auto wrap_either = [source = std::move(source), on_failure = std::move(on_failure)](
                               loop& owner, endpoint& from, protocol_factory upper, scheme_table::role role) {
    switch (role) {
      case scheme_table::role::server: return wrap_server(owner, from, std::move(upper), on_failure);
      case scheme_table::role::client: return wrap_client(owner, from, std::move(upper), source);
    }
    return upper;
  };
  const std::string names = ", " + table.names() + ',';
  for (const std::string_view each : {"tcp", "unix", "unix-abstract", "fd"})
    if (names.find(std::string(", ").append(each).append(",")) != std::string::npos) table.add_options(each, wrap_either);
}

}  // namespace sluice::proxy_protocol
