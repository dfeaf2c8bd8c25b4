#include "socket_watch.hpp"

#include <sluice/error.hpp>

#include <uv.h>

#include <memory>
#include <utility>

namespace sluice::detail {

struct socket_watch::handle {
  uv_poll_t poll;
  int events;
  handler on_event;
  void* owner;  // null once the watch is closed
  bool paused = false;

  static void on_poll(uv_poll_t* poll, int status, int events) {
    const auto& self = *static_cast<handle*>(poll->data);
    if (self.paused)
      uv_poll_stop(poll);  // a hang-up, which would come again and again
    else if (self.owner != nullptr)
      self.on_event(self.owner, status, events);
  }
};

std::error_code socket_watch::start(loop& owner_loop, int descriptor, int events, handler on_event, void* owner) {
  auto made = std::make_unique<handle>(handle{{}, events, on_event, owner});
  if (const int error = uv_poll_init(owner_loop.native_handle(), &made->poll, descriptor)) return system_error(-error);
  handle_ = made.release();
  handle_->poll.data = handle_;
  resume();
  return {};
}

void socket_watch::change(int events) noexcept {
  if (handle_ == nullptr) return;
  handle_->events = events;
  resume();
}

// Not stopped, or libuv would no longer count it as a reason to go on.
void socket_watch::pause() noexcept {
  if (handle_ == nullptr) return;
  handle_->paused = true;
  uv_poll_start(&handle_->poll, UV_PRIORITIZED, &handle::on_poll);
}

void socket_watch::resume() noexcept {
  if (handle_ == nullptr) return;
  handle_->paused = false;
  uv_poll_start(&handle_->poll, handle_->events, &handle::on_poll);
}

void socket_watch::close() noexcept {
  if (handle_ == nullptr) return;
  handle* const gone = std::exchange(handle_, nullptr);
  gone->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&gone->poll), [](uv_handle_t* poll) { delete static_cast<handle*>(poll->data); });
}

}  // namespace sluice::detail
