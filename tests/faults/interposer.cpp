#include "interposer.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <vector>

namespace faults {
namespace {

constinit thread_local plan* active = nullptr;
constinit thread_local std::int64_t skipped_nanoseconds = 0;
constexpr std::size_t most_watched = 4096;
constinit thread_local std::array<strike*, most_watched> watched{};

void forget(long descriptor) noexcept {
  if (descriptor >= 0 && descriptor < static_cast<long>(most_watched)) watched[static_cast<std::size_t>(descriptor)] = nullptr;
}

void note(call which, int descriptor, int error) noexcept {
  if (error == 0 || is_transient(which, error) || descriptor < 0 || descriptor >= static_cast<int>(most_watched)) return;
  strike* const log = watched[static_cast<std::size_t>(descriptor)];
  if (log == nullptr) return;
  const bool soft = which == call::end_output || which == call::get_option || which == call::set_option;
  int& first = soft ? log->soft_error : log->error;
  if (first == 0) first = error;
}

fault decide(call which, int descriptor, std::size_t bytes = 0) noexcept {
  if (active == nullptr) return {};
  plan* const asked = active;
  active = nullptr;  // what the plan itself does is not disturbed
  const fault decided = asked->decide(which, descriptor, bytes);
  active = asked;
  note(which, descriptor, decided.error);
  return decided;
}

// The answer of a call that fails.
long fail(fault what) noexcept {
  errno = what.error;
  return -1;
}

std::size_t shortened(fault what, std::size_t size) noexcept { return what.most == 0 ? size : std::min(size, what.most); }

// As much of a message as `what` lets through.
long message(long number, int socket, const msghdr& whole, int flags, fault what) {
  msghdr part = whole;
  std::vector<iovec> vectors(whole.msg_iov, whole.msg_iov + whole.msg_iovlen);
  for (std::size_t left = what.most, i = 0; i < vectors.size(); ++i) {
    vectors[i].iov_len = std::min(vectors[i].iov_len, left);
    left -= vectors[i].iov_len;
  }
  part.msg_iov = vectors.data();
  const long result = ::syscall(number, socket, &part, flags);
  if (number == SYS_recvmsg) {
    const_cast<msghdr&>(whole).msg_flags = part.msg_flags;
    const_cast<msghdr&>(whole).msg_controllen = part.msg_controllen;
  }
  return result;
}

std::size_t size_of(const msghdr& whole) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < whole.msg_iovlen; ++i) size += whole.msg_iov[i].iov_len;
  return size;
}

}  // namespace

const char* to_string(call which) noexcept {
  switch (which) {
    case call::receive: return "recv";
    case call::receive_message: return "recvmsg";
    case call::send: return "send";
    case call::send_message: return "sendmsg";
    case call::accept: return "accept4";
    case call::connect: return "connect";
    case call::make_socket: return "socket";
    case call::get_option: return "getsockopt";
    case call::set_option: return "setsockopt";
    case call::end_output: return "shutdown";
    case call::wait: return "epoll_wait";
    case call::wake: return "read and write of a waker";
  }
  return "unknown";
}

bool is_transient(call which, int error) noexcept {
  return which == call::accept || error == EINTR || (error == EAGAIN && which != call::connect);
}

in_force::in_force(plan& wanted) noexcept { active = &wanted; }
in_force::~in_force() {
  active = nullptr;
  watched.fill(nullptr);
}

void watch(int descriptor, strike& log) noexcept {
  if (descriptor >= 0 && descriptor < static_cast<int>(most_watched)) watched[static_cast<std::size_t>(descriptor)] = &log;
}

void skip_time(std::chrono::milliseconds span) noexcept { skipped_nanoseconds += std::chrono::nanoseconds(span).count(); }

}  // namespace faults

using faults::call;
using faults::decide;
using faults::fail;
using faults::fault;

extern "C" {

ssize_t recv(int socket, void* buffer, std::size_t size, int flags) {
  const fault what = decide(call::receive, socket, size);
  return what.error != 0 ? fail(what) : ::syscall(SYS_recvfrom, socket, buffer, faults::shortened(what, size), flags, nullptr, nullptr);
}

ssize_t recvmsg(int socket, msghdr* message, int flags) {
  const fault what = decide(call::receive_message, socket, faults::size_of(*message));
  if (what.error != 0) return fail(what);
  return what.most == 0 ? ::syscall(SYS_recvmsg, socket, message, flags) : faults::message(SYS_recvmsg, socket, *message, flags, what);
}

ssize_t send(int socket, const void* buffer, std::size_t size, int flags) {
  const fault what = decide(call::send, socket, size);
  return what.error != 0 ? fail(what) : ::syscall(SYS_sendto, socket, buffer, faults::shortened(what, size), flags, nullptr, 0);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  const fault what = decide(call::send_message, socket, faults::size_of(*message));
  if (what.error != 0) return fail(what);
  return what.most == 0 ? ::syscall(SYS_sendmsg, socket, message, flags) : faults::message(SYS_sendmsg, socket, *message, flags, what);
}

int accept4(int listener, sockaddr* peer, socklen_t* size, int flags) {
  const fault what = decide(call::accept, listener);
  const long made = what.error != 0 ? fail(what) : ::syscall(SYS_accept4, listener, peer, size, flags);
  faults::forget(made);
  return static_cast<int>(made);
}

// An interrupted connect goes on by itself.
int connect(int socket, const sockaddr* to, socklen_t size) {
  const fault what = decide(call::connect, socket);
  if (what.error != 0 && what.error != EINTR) return static_cast<int>(fail(what));
  const long result = ::syscall(SYS_connect, socket, to, size);
  if (what.error != EINTR || (result != 0 && errno != EINPROGRESS)) return static_cast<int>(result);
  return static_cast<int>(fail(what));
}

int socket(int family, int type, int protocol) noexcept {
  const fault what = decide(call::make_socket, -1);
  const long made = what.error != 0 ? fail(what) : ::syscall(SYS_socket, family, type, protocol);
  faults::forget(made);
  return static_cast<int>(made);
}

int getsockopt(int socket, int level, int name, void* value, socklen_t* size) noexcept {
  const fault what = decide(call::get_option, socket);
  return static_cast<int>(what.error != 0 ? fail(what) : ::syscall(SYS_getsockopt, socket, level, name, value, size));
}

int setsockopt(int socket, int level, int name, const void* value, socklen_t size) noexcept {
  const fault what = decide(call::set_option, socket);
  return static_cast<int>(what.error != 0 ? fail(what) : ::syscall(SYS_setsockopt, socket, level, name, value, size));
}

int shutdown(int socket, int how) noexcept {
  const fault what = decide(call::end_output, socket);
  return static_cast<int>(what.error != 0 ? fail(what) : ::syscall(SYS_shutdown, socket, how));
}

ssize_t read(int descriptor, void* buffer, std::size_t size) {
  const fault what = decide(call::wake, descriptor);
  return what.error != 0 ? fail(what) : ::syscall(SYS_read, descriptor, buffer, size);
}

ssize_t write(int descriptor, const void* buffer, std::size_t size) {
  const fault what = decide(call::wake, descriptor);
  return what.error != 0 ? fail(what) : ::syscall(SYS_write, descriptor, buffer, size);
}

int epoll_pwait(int poll, epoll_event* events, int most, int timeout, const sigset_t* mask) {
  const fault what = decide(call::wait, poll);
  return static_cast<int>(what.error != 0 ? fail(what)
                                          : ::syscall(SYS_epoll_pwait, poll, events, most, timeout, mask, sizeof(std::uint64_t)));
}

int epoll_wait(int poll, epoll_event* events, int most, int timeout) { return epoll_pwait(poll, events, most, timeout, nullptr); }

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  constexpr long second = 1'000'000'000;
  const long result = ::syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && faults::skipped_nanoseconds != 0 && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)) {
    const std::int64_t later = now->tv_nsec + faults::skipped_nanoseconds;
    now->tv_sec += later / second;
    now->tv_nsec = later % second;
  }
  return static_cast<int>(result);
}
}
