#include <sluice/tcp.hpp>

#include <sluice/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <utility>

#include "socket/adopt.hpp"
#include "socket/printable.hpp"
#include "socket/socket.hpp"
#include "client/stream_connector.hpp"
#include "tcp_channel.hpp"

namespace sluice::tcp {
namespace {

using connector = detail::stream_connector;

constexpr std::chrono::milliseconds least_attempt_delay(10);  // RFC 8305, section 5

connector::channel_factory channels_of(loop& owner, const options& settings) {
  return
      [&owner, nodelay = settings.nodelay, stream = shared_stream_options::make(settings.stream)](descriptor socket, const address& peer) {
        if (nodelay)
          detail::set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // only a hint: an error changes nothing that is promised
        return make_channel(owner, std::move(socket), peer, stream);
      };
}

std::unique_ptr<connector> make_connector(loop& owner, std::string target, protocol_factory factory, connect_handler done,
                                          const options& settings) {
  const auto delay = settings.attempt_delay.count() > 0 ? std::max(settings.attempt_delay, least_attempt_delay) : settings.attempt_delay;
  auto made = std::make_unique<connector>(
      owner, connector::request{std::move(target), std::move(factory), channels_of(owner, settings), std::move(done),
                                settings.connect_timeout, settings.local, delay, settings.on_attempt});
  if (!settings.local.empty() && !settings.local.is_ip())
    made->refuse(errc::bad_address, "an address for TCP to come from is one of IPv4 or IPv6");
  return made;
}

unsigned first_family_count(const options& settings) noexcept {
  return settings.first_family_count.value_or(settings.attempt_delay.count() > 0 ? 1U : 0U);
}

}  // namespace

connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done, const options& settings) {
  auto made = make_connector(owner, to.to_string(), std::move(factory), std::move(done), settings);
  if (!to.is_ip())
    made->refuse(errc::bad_address);
  else if (settings.family == (to.is_v4() ? ip_family::v6 : ip_family::v4))
    made->refuse(errc::bad_address, "not an address of the family that was asked for");
  else
    made->connect_to(to);
  return connecting(std::move(made));
}

connecting connect(loop& owner, std::string_view host, std::uint16_t port, protocol_factory factory, connect_handler done,
                   const options& settings) {
  std::error_code not_numeric;
  const address numeric = address::ip(host, port, not_numeric);
  if (!not_numeric) return connect(owner, numeric, std::move(factory), std::move(done), settings);
  std::string target = is_host_name(host) ? std::string(host) : detail::printable(host);
  auto made = make_connector(owner, target + ':' + std::to_string(port), std::move(factory), std::move(done), settings);
  resolver& names = settings.resolver != nullptr ? *settings.resolver : resolver::of(owner);
  made->connect_to({names, host, settings.family, port, first_family_count(settings)});
  return connecting(std::move(made));
}

result<transport&> adopt(loop& owner, descriptor connected, protocol_ptr upper, const options& settings) {
  const auto is_tcp = [](const address& own) { return own.is_ip(); };
  return detail::adopt(std::move(connected), {"a connected TCP socket", is_tcp, channels_of(owner, settings)}, std::move(upper));
}

}  // namespace sluice::tcp
