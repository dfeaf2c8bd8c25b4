#include "socket.hpp"

#include <sluice/detail/socket_address.hpp>
#include <sluice/error.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace sluice::detail {
namespace {

std::error_code last_error() noexcept { return system_error(errno); }

int new_socket(int family, int type) noexcept {
#ifdef SOCK_NONBLOCK
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
  const int made = ::socket(family, type, 0);
  if (made >= 0) {
    ::fcntl(made, F_SETFL, O_NONBLOCK);
    ::fcntl(made, F_SETFD, FD_CLOEXEC);
  }
  return made;
#endif
}

descriptor open_socket(const address& family_of, int type, std::error_code& error) noexcept {
  sockaddr_storage storage{};
  if (to_sockaddr(family_of, storage) == 0) {
    error = errc::bad_address;
    return {};
  }
  descriptor made(new_socket(storage.ss_family, type));
  error = made.is_open() ? std::error_code() : last_error();
  return made;
}

}  // namespace

descriptor open_stream_socket(const address& family_of, std::error_code& error) noexcept {
  return open_socket(family_of, SOCK_STREAM, error);
}

descriptor open_datagram_socket(const address& family_of, std::error_code& error) noexcept {
  return open_socket(family_of, SOCK_DGRAM, error);
}

descriptor duplicate(int socket) noexcept { return descriptor(::fcntl(socket, F_DUPFD_CLOEXEC, 0)); }

std::error_code bind_socket(int socket, const address& to) noexcept {
  sockaddr_storage storage{};
  const socklen_t size = to_sockaddr(to, storage);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&storage), size) == 0 ? std::error_code() : last_error();
}

std::error_code bind_outgoing(int socket, const address& from) noexcept {
#ifdef IP_BIND_ADDRESS_NO_PORT
  if (from.is_ip() && from.port() == 0) set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);  // what lacks it does without
#endif
  if (from.port() == 0) return bind_socket(socket, from);
  // Attempts on several addresses, and one soon after another, come from the same port.
  const std::error_code error = set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  return error ? error : bind_socket(socket, from);
}

std::error_code set_option(int socket, int level, int name, int value) noexcept {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0 ? std::error_code() : last_error();
}

descriptor accept_socket(int listener, address& peer) noexcept {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;
  auto* const at = reinterpret_cast<sockaddr*>(&storage);
#ifdef SOCK_NONBLOCK
  descriptor made(::accept4(listener, at, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
#else
  descriptor made(::accept(listener, at, &size));
  if (made.is_open()) {
    ::fcntl(made.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(made.get(), F_SETFD, FD_CLOEXEC);
  }
#endif
  if (made.is_open()) peer = from_sockaddr(at, size);
  return made;
}

address bound_address(int socket) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
}

std::error_code peer_of(int socket, address& peer) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return last_error();
  peer = from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
  return {};
}

std::error_code begin_connect(int socket, const address& to) noexcept {
  sockaddr_storage storage{};
  const socklen_t size = to_sockaddr(to, storage);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&storage), size) == 0 || errno == EINPROGRESS || errno == EINTR) return {};
  return last_error();
}

void reset_on_close(int socket) noexcept {
  const linger immediate{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &immediate, sizeof immediate);
}

int pending_error(int socket) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace sluice::detail
