#include "socket_channel.hpp"

#include <sluice/error.hpp>

#ifdef __linux__
#include <sys/sendfile.h>
#endif
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "parts.hpp"
#include "socket.hpp"

namespace sluice::detail {

socket_channel::socket_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options,
                               const shared_tally& tally)
    : socket_end(peer, tally, owner, std::move(socket), options) {}

send_result socket_channel::send(std::span<const const_bytes> parts) {
  if (parts.size() != 1) [[unlikely]]
    return send_message(parts, {});
  const ssize_t n = ::send(socket(), parts[0].data(), parts[0].size(), MSG_NOSIGNAL);
  return n >= 0 ? send_result(static_cast<std::size_t>(n)) : send_failed(errno);
}

[[gnu::noinline]] send_result socket_channel::send_message(std::span<const const_bytes> parts, msghdr message) const noexcept {
  iovec vectors[most_parts];
  message.msg_iov = vectors;
  for (const const_bytes part : parts) vectors[message.msg_iovlen++] = {const_cast<std::byte*>(part.data()), part.size()};
  const ssize_t n = ::sendmsg(socket(), &message, MSG_NOSIGNAL);
  return n >= 0 ? send_result(static_cast<std::size_t>(n)) : send_failed(errno);
}

// There is no MSG_NOSIGNAL here: it is the loop that has SIGPIPE ignored (rule G2).
send_result socket_channel::send_from_file([[maybe_unused]] int file, [[maybe_unused]] std::uint64_t offset,
                                           [[maybe_unused]] std::size_t most) {
#ifdef __linux__
  auto from = static_cast<off_t>(offset);
  const ssize_t n = ::sendfile(socket(), file, &from, most);
  if (n > 0) return static_cast<std::size_t>(n);
  if (n == 0) return make_error_code(errc::file_too_short);
  if (errno == EINVAL || errno == ENOSYS || errno == EOVERFLOW) return make_error_code(errc::not_supported);  // by this kind of file system
  return send_failed(errno);
#else
  return make_error_code(errc::not_supported);
#endif
}

std::error_code socket_channel::shutdown_output() { return ::shutdown(socket(), SHUT_WR) == 0 ? std::error_code() : system_error(errno); }

progress socket_channel::begin_close(close_kind kind) {
  keep_local(socket());
  switch (kind) {
    case close_kind::graceful:
      if (!input_ended()) ::shutdown(socket(), SHUT_WR);  // fails only where the peer is gone already
      break;
    case close_kind::abort: break;
    case close_kind::reset: reset_on_close(socket()); break;
  }
  return progress::done;
}

progress socket_channel::release() {
  const progress result = descriptor_channel::release();
  leave_tally();
  return result;
}

void socket_channel::on_poll_to_read(uv_poll_t* handle, int status, int events) {
  auto& self = static_cast<socket_channel&>(*static_cast<descriptor_channel*>(handle->data));
  if (status == 0 && events == UV_READABLE && self.input_is_plain()) [[likely]]
    self.read_first();
  else
    self.ready(status, events);
}

// One read is what most events are worth, so it goes the shortest way.
void socket_channel::read_first() {
  const mutable_bytes room = receive_buffer();
  const ssize_t n = ::recv(socket(), room.data(), room.size(), 0);
  if (n <= 0) [[unlikely]] {
    read_nothing(n);
    return;
  }
  received(static_cast<std::size_t>(n));
  if (static_cast<std::size_t>(n) == room.size()) [[unlikely]]
    read_more();
}

ssize_t socket_channel::receive(mutable_bytes room) { return ::recv(socket(), room.data(), room.size(), 0); }

// What the peer sent before the error comes first (rule L13); asking for the error would take it away.
void socket_channel::broken() {
  read_to_the_end();
  if (!is_open() || failed_by_error()) return;
  watch_what_is_wanted();
}

bool socket_channel::failed_by_error() {
  const int error = pending_error(socket());
  if (error != 0) failed(system_error(error));
  return error != 0;
}

bool socket_channel::is_at_end() {
  char waiting = 0;
  return ::recv(socket(), &waiting, 1, MSG_PEEK) == 0;
}

bool socket_channel::take_urgent() {
  char urgent = 0;
  return ::recv(socket(), &urgent, 1, MSG_OOB) >= 0;
}

void socket_channel::describe(info_query& query) const {
  describe_ends(query, socket());
  descriptor_channel::describe(query);
}

}  // namespace sluice::detail
