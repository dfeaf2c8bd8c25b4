#pragma once

#include <sluice/loop.hpp>

#include <system_error>

namespace sluice::detail {

// Watches a descriptor for its owner and stops with it; the libuv handle behind it lives on until the loop has closed it.
class socket_watch {
 public:
  using handler = void (*)(void* owner, int status, int events);

  socket_watch() noexcept = default;
  socket_watch(const socket_watch&) = delete;
  socket_watch& operator=(const socket_watch&) = delete;
  ~socket_watch() { close(); }

  // `events` of uv_poll_event; `on_event` runs outside any turn.
  std::error_code start(loop& owner_loop, int descriptor, int events, handler on_event, void* owner);
  // To `events`; only while it is open and not paused.
  void change(int events) noexcept;
  // Tells nothing until it is resumed; the loop goes on running for it.
  void pause() noexcept;
  void resume() noexcept;
  void close() noexcept;

 private:
  struct handle;
  handle* handle_ = nullptr;
};

}  // namespace sluice::detail
