#include "datagram_socket.hpp"

#include <sluice/error.hpp>
#include <sluice/info.hpp>

#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "socket/socket.hpp"

namespace sluice::detail {
namespace {

constexpr int most_batches_per_event = 4;  // further ones only if the batch was full (rule R10)
constexpr std::chrono::milliseconds shortest_patience(1);
constexpr std::chrono::milliseconds longest_patience(64);

// Errors that say nothing about a datagram but that the descriptor is of no use: they would come again and again.
bool is_fatal(int error) noexcept { return error == EBADF || error == ENOTSOCK || error == EINVAL || error == EFAULT; }

}  // namespace

datagram_socket::datagram_socket(loop& owner, setup made)
    : datagram_transport(owner, made.options, made.peer),
      socket_(std::move(made.socket)),
      batch_(attachment::of<message_batch>(owner)),
      local_(bound_address(socket_.get())),
      receives_from_all_(made.receives_from_all),
      tells_writable_(made.tells_writable),
      max_datagram_(made.max_datagram),
      at_close_(std::move(made.at_close)),
      patience_(shortest_patience),
      retry_(owner, [this] { ready_to_send(); }) {}

std::error_code datagram_socket::prepare() {
  const auto on_event = [](void* owner, int status, int events) { static_cast<datagram_socket*>(owner)->ready(status, events); };
  watched_ = UV_PRIORITIZED;  // hears an error, and keeps the loop running
  return watch_.start(static_cast<loop&>(scheduler()), socket_.get(), watched_, on_event, this);
}

void datagram_socket::start_reading() {
  if ((watched_ & UV_READABLE) == 0) watch_what_is_wanted();
}

datagrams_sent datagram_socket::send_batch(std::span<const outgoing_datagram> batch) {
  datagrams_sent result = batch_.send(socket_.get(), batch, receives_from_all_ ? &connected_peer() : nullptr);
  if (result.error == std::errc::not_connected && is_connected()) result = send_connected_anew(batch, result.taken);
  if (result.taken != 0) patience_ = shortest_patience;
  return result;
}

// A Unix socket forgets its peer when that is gone; another may have its place by now.
datagrams_sent datagram_socket::send_connected_anew(std::span<const outgoing_datagram> batch, std::size_t taken) {
  if (const std::error_code error = begin_connect(socket_.get(), connected_peer())) return {taken, error};
  const datagrams_sent rest = batch_.send(socket_.get(), batch.subspan(taken), nullptr);
  return {taken + rest.taken, rest.error};
}

void datagram_socket::send_later() {
  if (!tells_writable_)
    try_again_soon();
  else if ((watched_ & UV_WRITABLE) == 0)
    watch_what_is_wanted();
}

void datagram_socket::try_again_soon() {
  if (retry_.is_running()) return;
  retry_.start(patience_);
  patience_ = std::min(patience_ * 2, longest_patience);
}

progress datagram_socket::release() {
  retry_.stop();
  watch_.close();
  socket_.close();
  if (at_close_) std::exchange(at_close_, nullptr)();
  return progress::done;
}

void datagram_socket::watch_what_is_wanted() {
  int events = 0;
  if (wants_input()) events |= UV_READABLE;
  if (has_queued_output() && tells_writable_) events |= UV_WRITABLE;
  if (events == 0) events = UV_PRIORITIZED;
  if (events == watched_) return;
  watched_ = events;
  watch_.change(events);
}

void datagram_socket::ready(int status, int events) {
  if (status != 0) {
    look_after_error();
    return;
  }
  if ((events & UV_READABLE) != 0) read();
  if ((events & UV_WRITABLE) == 0 || !socket_.is_open()) return;
  if (has_queued_output()) ready_to_send();
  if (!has_queued_output() && socket_.is_open()) watch_what_is_wanted();
}

void datagram_socket::read() {
  for (int i = 0; i < most_batches_per_event; ++i) {
    if (!wants_input()) {
      if (socket_.is_open()) watch_what_is_wanted();
      return;
    }
    const int count = batch_.receive(socket_.get(), max_datagram_);
    if (count < 0) {
      if (!read_failed(errno)) return;
      continue;
    }
    received(batch_.received(), batch_.memory());
    if (static_cast<std::size_t>(count) < most_per_batch) return;
  }
}

// Whether there may be more to read.
bool datagram_socket::read_failed(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return false;
  is_fatal(error) ? failed(system_error(error)) : receive_failed(system_error(error));
  return true;
}

// libuv no longer watches a socket with an error. Reading brings the error and takes it away; otherwise asking for it does.
void datagram_socket::look_after_error() {
  watched_ = 0;
  read();
  if (!socket_.is_open()) return;
  if (const int error = pending_error(socket_.get())) read_failed(error);
  if (socket_.is_open()) watch_what_is_wanted();
}

void datagram_socket::describe(info_query& query) const {
  query.answer<local_address>([&] { return local_address{local_}; });
  query.answer<native_descriptor>([&] { return native_descriptor{socket_.get()}; });
  if (is_connected()) query.answer<peer_address>([&] { return peer_address{connected_peer()}; });
}

}  // namespace sluice::detail
