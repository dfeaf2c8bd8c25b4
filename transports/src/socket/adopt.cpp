#include "adopt.hpp"

#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "socket.hpp"

namespace sluice::detail {
namespace {

std::error_code check_type(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return system_error(errno);
  return type == SOCK_STREAM ? std::error_code() : system_error(EPROTOTYPE);
}

std::error_code add_flag(int descriptor, int get, int set, int flag) {
  const int now = ::fcntl(descriptor, get);
  if (now >= 0 && ((now & flag) != 0 || ::fcntl(descriptor, set, now | flag) == 0)) return {};
  return system_error(errno);
}

// What the library's own sockets are from the start.
std::error_code prepare(int socket) {
  const std::error_code error = add_flag(socket, F_GETFL, F_SETFL, O_NONBLOCK);
  return error ? error : add_flag(socket, F_GETFD, F_SETFD, FD_CLOEXEC);
}

std::error_code check(int socket, const adoption& by, address& peer) {
  if (const auto error = check_type(socket)) return error;
  if (!by.is_of_kind(bound_address(socket))) return system_error(EAFNOSUPPORT);
  if (const auto error = peer_of(socket, peer)) return error;
  return prepare(socket);
}

std::error_code check_listens(int socket) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
    return errno == ENOPROTOOPT ? std::error_code() : system_error(errno);  // a system that cannot tell
  return listens != 0 ? std::error_code() : system_error(EINVAL);
}

}  // namespace

std::error_code prepare_listening(int socket, bool (*is_of_kind)(const address& own)) {
  if (const auto error = check_type(socket)) return error;
  if (!is_of_kind(bound_address(socket))) return system_error(EAFNOSUPPORT);
  if (const auto error = check_listens(socket)) return error;
  return prepare(socket);
}

result<transport&> adopt(descriptor socket, const adoption& by, protocol_ptr upper) {
  address peer;
  if (const auto error = check(socket.get(), by, peer))
    return {error, "adopting descriptor " + std::to_string(socket.get()) + ": " + error.message() + "; expected " + by.expected};
  try {
    transport& made = stream_transport::start(by.channels(std::move(socket), peer), std::move(upper));
    if (made.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
    return made;
  } catch (const std::system_error& refused) {
    return {refused.code(), refused.what()};
  }
}

}  // namespace sluice::detail
