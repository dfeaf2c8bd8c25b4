#include "link.hpp"

#include <poll.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace load {

link::link(target& server) : socket_(server.connect()) {
  socket_.make_non_blocking();
  if (server.tls() == nullptr) return;
  tls_ = server.tls()->open(socket_.get());
  while (!tls_->shake_hands()) wait_for(POLLIN);
}

std::size_t link::receive(std::span<std::byte> into) {
  const ssize_t n = tls_ != nullptr ? tls_->receive(into) : ::recv(socket_.get(), into.data(), into.size(), 0);
  if (n == 0) throw std::runtime_error("the server ended a connection");
  if (n < 0 && errno != EAGAIN && errno != EINTR) fail("recv");
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

std::size_t link::send(std::span<const std::byte> data) {
  const ssize_t n = tls_ != nullptr ? tls_->send(data) : ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) fail("send");
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

void link::send_all(std::span<const std::byte> data) {
  while (!data.empty()) {
    const std::size_t n = send(data);
    data = data.subspan(n);
    if (n == 0) wait_for(POLLOUT);
  }
}

void link::receive_all(std::span<std::byte> into) {
  while (!into.empty()) {
    const std::size_t n = receive(into);
    into = into.subspan(n);
    if (n == 0) wait_for(POLLIN);
  }
}

void link::take_ticket(target& server) {
  std::array<std::byte, 4096> unwanted;
  for (receive(unwanted); !tls_->has_ticket(); receive(unwanted)) wait_for(POLLIN);
  server.tls()->resume(*tls_);
}

void link::wait_for(short events) const {
  constexpr int patience = 20'000;  // milliseconds
  pollfd one{socket_.get(), events, 0};
  const int ready = ::poll(&one, 1, patience);
  if (ready < 0 && errno != EINTR) fail("poll");
  if (ready == 0) throw std::runtime_error("the server does not answer any more");
}

}  // namespace load
