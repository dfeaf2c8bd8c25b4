#include <sluice/tcp.hpp>

#include <sluice/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "descriptor_channel.hpp"
#include "socket.hpp"
#include "stream_connector.hpp"
#include "stream_server.hpp"

namespace sluice::tcp {
namespace {

class channel final : public detail::descriptor_channel {
 public:
  channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options)
      : descriptor_channel(owner, std::move(socket), peer, options) {}

 private:
  void describe(info_query& query) const override {
    query.answer<transport_kind>([] { return transport_kind{"tcp"}; });
    descriptor_channel::describe(query);
  }
};

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

connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done, const options& settings) {
  const auto make_channel = [&owner, nodelay = settings.nodelay, stream = shared_stream_options::make(settings.stream)](
                                descriptor socket, const address& peer) {
    if (nodelay) detail::set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // only a hint: an error changes nothing that is promised
    return std::make_unique<channel>(owner, std::move(socket), peer, stream);
  };
  const std::error_code refused = to.is_ip() ? std::error_code() : make_error_code(errc::bad_address);
  return connecting(std::make_unique<detail::stream_connector>(
      owner, detail::stream_connector::request{to, std::move(factory), make_channel, std::move(done), settings.connect_timeout, refused}));
}

}  // namespace sluice::tcp
