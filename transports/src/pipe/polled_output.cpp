#include "polled_output.hpp"

#include <sys/socket.h>
#include <uv.h>

#include <utility>

#include "write_parts.hpp"

namespace sluice::pipe {

polled_output::polled_output(descriptor to) noexcept : to_(std::move(to)) {}

std::error_code polled_output::begin(loop& scheduler, listener& told) {
  told_ = &told;
  const std::error_code error = watch_.start(scheduler, to_.get(), UV_WRITABLE, &polled_output::on_event, this);
  watch_.pause();
  return error;
}

send_result polled_output::send(std::span<const const_bytes> parts) { return write_parts(to_.get(), parts); }

void polled_output::wait() {
  if (!std::exchange(waiting_, true)) watch_.resume();
}

void polled_output::on_event(void* self, int, int) {
  auto& here = *static_cast<polled_output*>(self);
  here.told_->output_ready();
  if (here.told_->has_output()) return;
  here.waiting_ = false;
  here.watch_.pause();
}

// Closing a duplicate of a socket would not tell the peer.
progress polled_output::end() {
  ::shutdown(to_.get(), SHUT_WR);
  drop();
  return progress::done;
}

void polled_output::drop() noexcept {
  watch_.close();
  to_.close();
}

}  // namespace sluice::pipe
