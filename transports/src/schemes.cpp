#include <sluice/schemes.hpp>

#include <utility>

#include "socket/socket_schemes.hpp"

namespace sluice {

scheme_table transport_schemes() {
  scheme_table table;
  detail::add_tcp_scheme(table);
  detail::add_local_schemes(table);
  detail::add_fd_scheme(table);
  detail::add_stdio_scheme(table);
  detail::add_fifo_scheme(table);
  detail::add_exec_scheme(table);
  detail::add_serial_scheme(table);
  detail::add_pty_scheme(table);
  detail::add_udp_scheme(table);
  detail::add_local_datagram_schemes(table);
  return table;
}

std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory) {
  return transport_schemes().listen(owner, at, std::move(factory));
}

connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
  return transport_schemes().connect(owner, to, std::move(factory), std::move(done));
}

datagram_transport& open_datagrams(loop& owner, const endpoint& at, datagram_protocol_ptr upper) {
  return transport_schemes().open_datagrams(owner, at, std::move(upper));
}

datagram_transport& connect_datagrams(loop& owner, const endpoint& to, datagram_protocol_ptr upper) {
  return transport_schemes().connect_datagrams(owner, to, std::move(upper));
}

}  // namespace sluice
