#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "tls_client.hpp"

namespace load {

/// `what`, and why by errno.
[[noreturn]] void fail(const std::string& what);

/// Owns a descriptor.
class socket_handle {
 public:
  explicit socket_handle(int number = -1) noexcept : number_(number) {}
  socket_handle(socket_handle&& from) noexcept : number_(std::exchange(from.number_, -1)) {}
  socket_handle& operator=(socket_handle&& from) noexcept {
    std::swap(number_, from.number_);
    return *this;
  }
  ~socket_handle();

  int get() const noexcept { return number_; }
  void close() noexcept { socket_handle(std::move(*this)); }

  /// Waits until all is sent, on a blocking socket.
  void send_all(std::span<const std::byte> data) const;
  void make_non_blocking() const;

 private:
  int number_;
};

/// A server's address, as the server prints it.
class target {
 public:
  /// `tcp://ADDRESS:PORT`, `tls://…` or `udp://…` with a numeric IPv4 address and anything behind a `?`, or `unix:PATH`; throws
  /// std::invalid_argument otherwise.
  explicit target(const std::string& endpoint);

  /// A blocking socket, connected. Over TCP it sends without delay and, if the server is on the loopback, each has its turn among some
  /// addresses of it, so that one does not run out of ports.
  socket_handle connect();

  /// What connections through TLS share, or nothing.
  tls_client* tls() const noexcept { return tls_.get(); }

 private:
  socket_handle open() const;
  void take_turn(const socket_handle& socket);

  int type_ = SOCK_STREAM;
  sockaddr_storage address_{};
  socklen_t length_ = 0;
  std::uint32_t turn_ = 0;
  std::unique_ptr<tls_client> tls_;
};

}  // namespace load
