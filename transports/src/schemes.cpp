#include <sluice/schemes.hpp>

#include <utility>

#include "socket_schemes.hpp"

namespace sluice {

scheme_table transport_schemes() {
  scheme_table table;
  detail::add_tcp_scheme(table);
  detail::add_local_schemes(table);
  detail::add_fd_scheme(table);
  return table;
}

std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory) {
  return transport_schemes().listen(owner, at, std::move(factory));
}

connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
  return transport_schemes().connect(owner, to, std::move(factory), std::move(done));
}

}  // namespace sluice
