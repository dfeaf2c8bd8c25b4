#pragma once

#include <cstddef>

// What a thread of this program asks of the system, counted by functions that stand in front of those of the C library.
struct system_calls {
  std::size_t receives = 0;  // recv and recvmmsg
  std::size_t sends = 0;     // send, sendmsg and sendmmsg
  std::size_t controls = 0;  // epoll_ctl

  static system_calls of_this_thread() noexcept;

  friend system_calls operator-(const system_calls& a, const system_calls& b) noexcept {
    return {a.receives - b.receives, a.sends - b.sends, a.controls - b.controls};
  }
};
