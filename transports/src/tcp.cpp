#include <sluice/tcp.hpp>

#include <sluice/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "socket.hpp"
#include "stream_connector.hpp"
#include "tcp_channel.hpp"

namespace sluice::tcp {

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
