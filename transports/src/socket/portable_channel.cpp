#include "portable_channel.hpp"

#include <sluice/error.hpp>
#include <sluice/transport_ref.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include "parts.hpp"

namespace sluice::detail {
namespace {

uv_buf_t buffer_of(const_bytes bytes) noexcept {
  return uv_buf_init(reinterpret_cast<char*>(const_cast<std::byte*>(bytes.data())), static_cast<unsigned>(bytes.size()));
}

}  // namespace

portable_channel::portable_channel(loop& owner, medium kind, descriptor socket, const address& peer, const shared_stream_options& options,
                                   const shared_tally& tally)
    : socket_end(peer, tally, owner, options), socket_(socket.release()), kind_(kind), next_turn_(owner, [this] {
        if (has_queued_output()) ready_to_send();
      }) {}

portable_channel::~portable_channel() {
  if (!is_open_) descriptor(std::exchange(socket_, -1)).close();
}

// At the first need, so that a channel that was never started is no handle of the loop's. Where it fails, so does what follows.
void portable_channel::open() {
  if (std::exchange(is_open_, true)) return;
  uv_loop_t* const native = static_cast<loop&>(scheduler()).native_handle();
  kind_ == medium::tcp ? uv_tcp_init(native, &handle_.tcp) : uv_pipe_init(native, &handle_.pipe, 0);
  handle_.stream.data = write_.data = shutdown_.data = this;
  const int error = kind_ == medium::tcp ? uv_tcp_open(&handle_.tcp, socket_) : uv_pipe_open(&handle_.pipe, socket_);
  if (error != 0) descriptor(std::exchange(socket_, -1)).close();
}

void portable_channel::start_reading() {
  open();
  const auto make_room = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) { *buffer = of(handle->data).make_room(); };
  const auto on_read = [](uv_stream_t* stream, ssize_t n, const uv_buf_t*) { of(stream->data).came(n); };
  if (const int error = uv_read_start(&handle_.stream, make_room, on_read))
    scheduler().call_soon([this, error, self = transport_ref(*this)] {
      if (self) failed(system_error(-error));
    });
}

// Libuv calls what it was given for this read even where that was taken back when it asked for memory, and takes it for granted.
void portable_channel::stop_reading() {
  if (is_open_ && !makes_room_) uv_read_stop(&handle_.stream);
}

uv_buf_t portable_channel::make_room() {
  makes_room_ = true;
  const mutable_bytes room = receive_buffer();
  makes_room_ = false;
  return buffer_of(room);
}

void portable_channel::came(ssize_t n) {
  if (!wants_input()) uv_read_stop(&handle_.stream);
  if (n > 0)
    received(static_cast<std::size_t>(n));
  else if (n == UV_EOF)
    received_eof();
  else if (n != 0 && n != UV_ENOBUFS)  // no room was made: that is known above
    failed(system_error(static_cast<int>(-n)));
}

send_result portable_channel::send(std::span<const const_bytes> parts) {
  open();
  if (send_error_ != 0) return system_error(-send_error_);
  if (is_sending_) return {};
  uv_buf_t buffers[most_parts];
  std::transform(parts.begin(), parts.end(), buffers, buffer_of);
  const int n = uv_try_write(&handle_.stream, buffers, static_cast<unsigned>(parts.size()));
  if (n < 0 && n != UV_EAGAIN) return system_error(-n);
  const auto taken = static_cast<std::size_t>(std::max(n, 0));
  std::array<const_bytes, most_parts> rest;
  const auto refused = slice(parts, taken, held_.size(), rest);
  if (!refused.empty()) hold(refused.front());
  return taken;
}

// Only of what it sends itself does libuv tell when the system takes something again. The engine keeps these bytes too, until they are gone.
void portable_channel::hold(const_bytes first) noexcept {
  std::memcpy(held_.data(), first.data(), first.size());
  held_size_ = first.size();
  const uv_buf_t buffer = buffer_of(const_bytes(held_).first(held_size_));
  send_error_ = uv_write(&write_, &handle_.stream, &buffer, 1, [](uv_write_t* write, int status) { of(write->data).sent_held(status); });
  is_sending_ = send_error_ == 0;
}

void portable_channel::sent_held(int status) {
  is_sending_ = false;
  send_error_ = status;
  if (status == 0) output_drained(held_size_);
  if (has_queued_output()) ready_to_send();  // a failure is what `send` returns
}

// Not refused, but enough for one turn.
void portable_channel::send_later(std::span<const const_bytes>) {
  if (!is_sending_) next_turn_.schedule();
}

// Libuv does it behind what it has to send, and when the system takes something.
std::error_code portable_channel::shutdown_output() {
  open();
  const int error = uv_shutdown(&shutdown_, &handle_.stream, [](uv_shutdown_t*, int) {});
  return error == 0 ? std::error_code() : system_error(-error);
}

progress portable_channel::begin_close(close_kind kind) {
  keep_local(socket_);
  switch (kind) {
    case close_kind::graceful:
      if (!input_ended()) shutdown_output();  // fails only where it was done, or the peer is gone
      break;
    case close_kind::abort: break;
    case close_kind::reset: reset_on_close(socket_); break;
  }
  return progress::done;
}

progress portable_channel::release() {
  leave_tally();
  next_turn_.cancel();
  if (!is_open_) {
    descriptor(std::exchange(socket_, -1)).close();
    return progress::done;
  }
  socket_ = -1;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_.stream), [](uv_handle_t* handle) { of(handle->data).released(); });
  return progress::pending;
}

void portable_channel::describe(info_query& query) const {
  describe_ends(query, socket_);
  query.answer<native_descriptor>([&] { return native_descriptor{socket_}; });
}

}  // namespace sluice::detail
