#include "adopting.hpp"

#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include <cerrno>

namespace sluice::pipe {
namespace {

refusal refuse(int descriptor, std::error_code error, const std::string& problem) {
  return {error, "descriptor " + std::to_string(descriptor) + ' ' + problem};
}

const char* kind_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISCHR(mode)) return "a device that cannot be waited for";
  return "of a kind that cannot be waited for";
}

refusal check_access(int descriptor, int flags, wanted use) {
  const int access = flags & O_ACCMODE;
  if (use != wanted::output && access == O_WRONLY) return refuse(descriptor, system_error(EBADF), "is not open for reading");
  if (use != wanted::input && access == O_RDONLY) return refuse(descriptor, system_error(EBADF), "is not open for writing");
  return {};
}

refusal check_kind(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return refuse(descriptor, system_error(errno), "is not open");
  if (S_ISSOCK(status.st_mode)) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
      return refuse(descriptor, system_error(EPROTOTYPE), "is a socket that carries no stream; expected a stream socket");
    return {};
  }
  if (is_pollable(descriptor)) return {};
  return refuse(descriptor, errc::not_supported,
                std::string("is ") + kind_of(status.st_mode) + "; expected a pipe, a FIFO, a stream socket or a terminal");
}

}  // namespace

bool is_pollable(int descriptor) noexcept {
#ifdef __linux__
  const class descriptor asked(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event none{};
  return !asked || ::epoll_ctl(asked.get(), EPOLL_CTL_ADD, descriptor, &none) == 0 || errno != EPERM;
#else
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || ::isatty(descriptor) == 1);
#endif
}

refusal prepare(int descriptor, wanted use) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) return refuse(descriptor, system_error(errno), "is not open");
  if (auto wrong = check_kind(descriptor)) return wrong;
  if (auto wrong = check_access(descriptor, flags, use)) return wrong;
  if (::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
    return refuse(descriptor, system_error(errno), "cannot be made non-blocking");
  return {};
}

}  // namespace sluice::pipe
