#include <sluice/tcp.hpp>

#include <sluice/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "socket/socket.hpp"
#include "server/stream_server.hpp"
#include "tcp_channel.hpp"

namespace sluice::tcp {
namespace {

constexpr int most_ports_tried = 32;

std::error_code share_port([[maybe_unused]] int socket) {
#ifdef SO_REUSEPORT
  const std::error_code error = detail::set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (error != std::errc::no_protocol_option) return error;
#endif
  return errc::not_supported;
}

// What a listening socket has, the connections that it accepts inherit; so TCP_NODELAY costs them no call.
std::error_code set_common_options(int socket, const address& at, const options& settings) {
  std::error_code error = detail::set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!error && settings.nodelay) error = detail::set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!error && at.is_v6()) error = detail::set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, settings.ipv6_only ? 1 : 0);
  return error;
}

// A kernel without the family, or one that was told to have none of its addresses.
bool lacks_family(std::error_code error) {
  return error == std::errc::address_family_not_supported || error == std::errc::address_not_available;
}

// One call of listen: it gets all its sockets or none, and does nothing more once it has failed.
class opening {
 public:
  opening(detail::stream_server& server, const options& settings) : server_(server), settings_(settings), kept_(server.socket_count()) {}

  void add_all(const std::vector<address>& at) {
    if (at.empty()) fail(errc::bad_address, "listening on no address");
    for (auto each = at.begin(); each != at.end(); ++each)
      if (std::find(at.begin(), each, *each) == each) add(*each);
  }
  void add_everywhere(std::uint16_t port) {
    settings_.ipv6_only = skips_lacking_ = true;
    for (int i = 0; i < most_ports_tried; ++i) {
      error_.clear();
      add(address::any_v4(port));
      add(address::any_v6(bound().empty() ? port : bound().front().port()));
      if (error_ != std::errc::address_in_use || port != 0) break;  // else the port that the system chose for IPv4 is taken in IPv6
    }
    if (!failed() && bound().empty()) fail(errc::bad_address, "listening on every interface");
  }

  bool failed() const noexcept { return static_cast<bool>(error_); }
  std::error_code error() const noexcept { return error_; }
  [[noreturn]] void raise() const { throw std::system_error(error_, what_); }
  std::vector<address> bound() const {
    const std::vector<address> all = server_.sockets();
    return {all.begin() + static_cast<std::ptrdiff_t>(kept_), all.end()};
  }

 private:
  void add(const address& at) {
    if (failed()) return;
    std::string what = "listening on " + at.to_string();
    const std::error_code error = open(at, what);
    if (error && !(skips_lacking_ && lacks_family(error))) fail(error, std::move(what));
  }

  std::error_code open(const address& at, std::string& what) {
    if (!at.is_ip()) return errc::bad_address;
    if (descriptor socket = server_.inherited(at); socket.is_open()) return add_inherited(std::move(socket));
    std::error_code error;
    descriptor socket = detail::open_stream_socket(at, error);
    if (!error) error = set_common_options(socket.get(), at, settings_);
    if (!error && settings_.reuse_port && (error = share_port(socket.get()))) what += " with reuse_port";
    if (!error) error = detail::bind_socket(socket.get(), at);
    return error ? error : server_.add_bound(std::move(socket));
  }

  std::error_code add_inherited(descriptor socket) {
    const std::error_code error = detail::set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, settings_.nodelay ? 1 : 0);
    return error ? error : server_.add_bound(std::move(socket));
  }

  void fail(std::error_code error, std::string what) {
    error_ = error;
    what_ = std::move(what);
    server_.close_behind(kept_);
  }

  detail::stream_server& server_;
  options settings_;
  std::size_t kept_;
  bool skips_lacking_ = false;
  std::error_code error_;
  std::string what_;
};

address one_of(const std::vector<address>& bound) { return bound.empty() ? address() : bound.front(); }

detail::stream_server::kind adopted_kind(const options& settings) {
  detail::stream_server::kind kind{"TCP", [](const address& own) { return own.is_ip(); }};
  if (settings.nodelay) kind.tune = [](int socket) { detail::set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1); };
  return kind;
}

std::unique_ptr<detail::stream_server> make_server(loop& owner, protocol_factory factory, const options& settings) {
  const auto accepted = [&owner, stream = shared_stream_options::make(settings.stream)](descriptor socket, const address& peer,
                                                                                        const detail::shared_tally& tally) {
    return make_channel(owner, std::move(socket), peer, stream, tally);
  };
  return std::make_unique<detail::stream_server>(
      owner, std::move(factory), accepted,
      detail::stream_server::settings{adopted_kind(settings), settings.backlog, settings.start_serving, settings.max_connections,
                                      settings.max_connections_per_peer, settings.allow, settings.deny});
}

}  // namespace

server::server(loop& owner, protocol_factory factory, options settings)
    : socket_server(make_server(owner, std::move(factory), settings)), settings_(std::move(settings)) {}

address server::listen(const address& at) { return one_of(listen(std::vector{at})); }
address server::listen(const address& at, std::error_code& error) { return one_of(listen(std::vector{at}, error)); }

std::vector<address> server::listen(const std::vector<address>& at) {
  opening now(impl(), settings_);
  now.add_all(at);
  if (now.failed()) now.raise();
  return now.bound();
}

std::vector<address> server::listen(const std::vector<address>& at, std::error_code& error) {
  opening now(impl(), settings_);
  now.add_all(at);
  error = now.error();
  return now.bound();
}

std::vector<address> server::listen(std::uint16_t port) {
  opening now(impl(), settings_);
  now.add_everywhere(port);
  if (now.failed()) now.raise();
  return now.bound();
}

std::vector<address> server::listen(std::uint16_t port, std::error_code& error) {
  opening now(impl(), settings_);
  now.add_everywhere(port);
  error = now.error();
  return now.bound();
}

}  // namespace sluice::tcp
