#include <sluice/socket_server.hpp>

#include <sluice/error.hpp>

#include <cerrno>
#include <string>
#include <utility>

#include "socket/socket.hpp"
#include "stream_server.hpp"

namespace sluice {
namespace {

[[noreturn]] void throw_not_adopted(std::error_code error, int number, const char* kind) {
  const bool idle = error == std::errc::invalid_argument;
  throw std::system_error(error, "adopting descriptor " + std::to_string(number) + (idle ? ", which does not listen," : "") +
                                     " as a listening " + kind + " socket");
}

}  // namespace

socket_server::socket_server(std::unique_ptr<detail::stream_server> impl) noexcept : impl_(std::move(impl)) {}

socket_server::~socket_server() { detail::stream_server::dispose(std::move(impl_)); }

address socket_server::adopt(descriptor listening) {
  const int number = listening.get();
  std::error_code error;
  const address bound = adopt(std::move(listening), error);
  if (error) throw_not_adopted(error, number, impl_->kind_name());
  return bound;
}

address socket_server::adopt(descriptor listening, std::error_code& error) {
  error = impl_->adopt(std::move(listening));
  return error ? address() : impl_->sockets().back();
}

address socket_server::share(int listening) {
  std::error_code error;
  const address bound = share(listening, error);
  if (error) throw_not_adopted(error, listening, impl_->kind_name());
  return bound;
}

address socket_server::share(int listening, std::error_code& error) {
  descriptor own = detail::duplicate(listening);
  if (own.is_open()) return adopt(std::move(own), error);
  error = system_error(errno);
  return {};
}

void socket_server::start_serving() {
  address at;
  if (const auto error = impl_->start_serving(at)) throw std::system_error(error, "listening on " + at.to_string());
}

void socket_server::start_serving(std::error_code& error) {
  address at;
  error = impl_->start_serving(at);
}

bool socket_server::is_serving() const noexcept { return impl_->is_serving(); }

void socket_server::close(waiting_clients waiting) { impl_->close(waiting); }
void socket_server::close_clients() { impl_->close_clients(); }
void socket_server::abort_clients() { impl_->abort_clients(); }
void socket_server::wait_closed(duration deadline, closed_handler done) { impl_->wait_closed(deadline, std::move(done)); }

void socket_server::pause_accepting() { impl_->hold_accepting(accept_hold::user); }
void socket_server::resume_accepting() { impl_->release_accepting(accept_hold::user); }
std::uint8_t socket_server::accept_holds() const noexcept { return impl_->accept_holds(); }

std::vector<address> socket_server::sockets() const { return impl_->sockets(); }
std::vector<int> socket_server::descriptors() const { return impl_->descriptors(); }
const server_counters& socket_server::counters() const noexcept { return impl_->counters(); }

}  // namespace sluice
