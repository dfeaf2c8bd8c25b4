#include "socket_attempt.hpp"

#include <sluice/error.hpp>

#include <uv.h>

#include <cerrno>
#include <utility>

#include "socket.hpp"

namespace sluice::detail {

socket_attempt::socket_attempt(loop& owner, const address& to, const address& from, listener& told)
    : to_(to), told_(told), began_(owner.now()), later_(owner, [this] { told_.attempt_ended(*this, refused_); }) {
  refused_ = begin(owner, from);
  if (refused_) later_.start(duration::zero());
}

std::error_code socket_attempt::begin(loop& owner, const address& from) {
  std::error_code error;
  socket_ = open_stream_socket(to_, error);
  if (!error && !from.empty()) error = bind_outgoing(socket_.get(), from);
  if (!error) error = begin_connect(socket_.get(), to_);
  if (error) return error;
  const auto on_event = [](void* self, int, int) { static_cast<socket_attempt*>(self)->writable(); };
  return watch_.start(owner, socket_.get(), UV_WRITABLE, on_event, this);
}

void socket_attempt::writable() {
  watch_.close();
  told_.attempt_ended(*this, outcome());
}

// Two ends of one machine may meet in the middle: where nobody listens on a port that the system gives to clients, an attempt from that very
// port reaches itself.
std::error_code socket_attempt::outcome() const {
  if (const int error = pending_error(socket_.get())) return system_error(error);
  return to_.is_ip() && bound_address(socket_.get()) == to_ ? system_error(ECONNREFUSED) : std::error_code();
}

descriptor socket_attempt::take() noexcept { return std::move(socket_); }

}  // namespace sluice::detail
