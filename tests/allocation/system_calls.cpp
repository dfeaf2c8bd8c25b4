#include "system_calls.hpp"

#include <sluice/testing/allocation_counter.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constinit thread_local system_calls total;

}  // namespace

system_calls system_calls::of_this_thread() noexcept { return total; }

// A sanitizer has functions of its own in these places; the scenarios are skipped then.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {

ssize_t recv(int socket, void* buffer, std::size_t size, int flags) {
  ++total.receives;
  return ::syscall(SYS_recvfrom, socket, buffer, size, flags, nullptr, nullptr);
}

ssize_t send(int socket, const void* buffer, std::size_t size, int flags) {
  ++total.sends;
  return ::syscall(SYS_sendto, socket, buffer, size, flags, nullptr, 0);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  ++total.sends;
  return ::syscall(SYS_sendmsg, socket, message, flags);
}

int recvmmsg(int socket, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  ++total.receives;
  return static_cast<int>(::syscall(SYS_recvmmsg, socket, messages, count, flags, timeout));
}

int sendmmsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  ++total.sends;
  return static_cast<int>(::syscall(SYS_sendmmsg, socket, messages, count, flags));
}

int epoll_ctl(int poll, int operation, int descriptor, epoll_event* event) noexcept {
  ++total.controls;
  return static_cast<int>(::syscall(SYS_epoll_ctl, poll, operation, descriptor, event));
}
}
#endif
