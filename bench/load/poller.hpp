#pragma once

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>

#include "target.hpp"

namespace load {

/// epoll, level-triggered, and a number with each socket.
class poller {
 public:
  poller() : handle_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (handle_.get() < 0) fail("epoll_create1");
  }

  void add(const socket_handle& socket, std::uint32_t events, std::size_t number) { control(EPOLL_CTL_ADD, socket, events, number); }
  void change(const socket_handle& socket, std::uint32_t events, std::size_t number) { control(EPOLL_CTL_MOD, socket, events, number); }

  /// Those that are ready, after at most `milliseconds`; valid until the next call.
  std::span<const epoll_event> wait(int milliseconds) {
    const int n = ::epoll_wait(handle_.get(), ready_.data(), static_cast<int>(ready_.size()), milliseconds);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    return std::span(ready_).first(n < 0 ? 0 : static_cast<std::size_t>(n));
  }

 private:
  void control(int operation, const socket_handle& socket, std::uint32_t events, std::size_t number) {
    epoll_event interest{};
    interest.events = events;
    interest.data.u64 = number;
    if (::epoll_ctl(handle_.get(), operation, socket.get(), &interest) != 0) fail("epoll_ctl");
  }

  socket_handle handle_;
  std::array<epoll_event, 256> ready_{};
};

}  // namespace load
