#include <sluice/tcp.hpp>

#include <sluice/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "socket.hpp"
#include "stream_server.hpp"
#include "tcp_channel.hpp"

namespace sluice::tcp {
namespace {

// What a listening socket has, the connections that it accepts inherit; so TCP_NODELAY costs them no call.
std::error_code prepare(int socket, const address& at, const options& settings) {
  std::error_code error = detail::set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!error && settings.reuse_port) error = detail::set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (!error && settings.nodelay) error = detail::set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!error && at.is_v6()) error = detail::set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, settings.ipv6_only ? 1 : 0);
  return error;
}

}  // namespace

struct server::state final : detail::stream_server {
  state(loop& owner, protocol_factory factory, options wanted)
      : stream_server(owner, std::move(factory),
                      [&owner, stream = shared_stream_options::make(wanted.stream)](descriptor socket, const address& peer) {
                        return std::make_unique<channel>(owner, std::move(socket), peer, stream);
                      }),
        settings(std::move(wanted)) {}

  options settings;
};

server::server(loop& owner, protocol_factory factory, options settings)
    : state_(std::make_unique<state>(owner, std::move(factory), std::move(settings))) {}

server::~server() { detail::stream_server::dispose(std::move(state_)); }

address server::listen(const address& at) {
  std::error_code error;
  address bound = listen(at, error);
  if (error) throw std::system_error(error, "listening on " + at.to_string());
  return bound;
}

address server::listen(const address& at, std::error_code& error) {
  if (!at.is_ip()) {
    error = errc::bad_address;
    return {};
  }
  descriptor socket = detail::open_stream_socket(at, error);
  if (!error) error = prepare(socket.get(), at, state_->settings);
  if (!error) error = detail::bind_socket(socket.get(), at);
  const int number = socket.get();
  if (!error) error = state_->listen(std::move(socket), state_->settings.backlog);
  return error ? address() : detail::bound_address(number);
}

void server::close() { state_->close(); }
bool server::is_serving() const noexcept { return state_->is_serving(); }
std::vector<address> server::sockets() const { return state_->sockets(); }
const server_counters& server::counters() const noexcept { return state_->counters(); }

}  // namespace sluice::tcp
