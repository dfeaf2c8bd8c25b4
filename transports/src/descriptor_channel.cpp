#include "descriptor_channel.hpp"

#include <sluice/error.hpp>
#include <sluice/transport_ref.hpp>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include "socket.hpp"

namespace sluice::detail {
namespace {

constexpr int most_reads_per_event = 4;  // further ones only if the buffer was filled (rule R10)
constexpr std::size_t most_parts = 128;  // what the engine hands over at most

// An interrupted send is one that took nothing: it is tried again like any other.
[[gnu::noinline]] send_result send_failed(int error) noexcept {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return {};
  return system_error(error);
}

}  // namespace

descriptor_channel::descriptor_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options)
    : stream_transport(owner, options), socket_(std::move(socket)), peer_(peer) {}

descriptor_channel::~descriptor_channel() {
  socket_.close();
  leave_tally();
}

void descriptor_channel::count_in(const local_ptr<connection_tally>& tally, const address& peer) {
  tally->enter(peer);
  tally_ = tally;
}

void descriptor_channel::leave_tally() noexcept {
  if (const auto left = std::move(tally_)) left->leave(peer_);
}

bool descriptor_channel::cut_off() {
  if (state() == connection_machine::state::lost) {
    failed(errc::aborted);
    return false;
  }
  const bool was_open = state() < connection_machine::state::finishing;
  abort();
  return was_open;
}

void descriptor_channel::start_reading() {
  hung_up_ = hangup_told_ = false;
  if ((watched_ & UV_READABLE) == 0) watch_what_is_wanted();
}

// Nothing to do yet: a pause that ends before more input arrives costs no system call.
void descriptor_channel::stop_reading() {
  if (options().report_hangup_while_paused) watch_what_is_wanted();
}

send_result descriptor_channel::send(std::span<const const_bytes> parts) {
  if (parts.size() != 1) [[unlikely]]
    return send_message(parts, {});
  const ssize_t n = ::send(socket_.get(), parts[0].data(), parts[0].size(), MSG_NOSIGNAL);
  return n >= 0 ? send_result(static_cast<std::size_t>(n)) : send_failed(errno);
}

[[gnu::noinline]] send_result descriptor_channel::send_message(std::span<const const_bytes> parts, msghdr message) const noexcept {
  iovec vectors[most_parts];
  message.msg_iov = vectors;
  for (const const_bytes part : parts) vectors[message.msg_iovlen++] = {const_cast<std::byte*>(part.data()), part.size()};
  const ssize_t n = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  return n >= 0 ? send_result(static_cast<std::size_t>(n)) : send_failed(errno);
}

void descriptor_channel::send_later(std::span<const const_bytes>) {
  if ((watched_ & UV_WRITABLE) == 0) watch_what_is_wanted();
}

std::error_code descriptor_channel::shutdown_output() {
  return ::shutdown(socket_.get(), SHUT_WR) == 0 ? std::error_code() : system_error(errno);
}

progress descriptor_channel::begin_close(close_kind kind) {
  if (local_ == nullptr) local();  // not to be had later (rule I2)
  switch (kind) {
    case close_kind::graceful:
      if (!input_ended()) ::shutdown(socket_.get(), SHUT_WR);  // fails only where the peer is gone already
      break;
    case close_kind::abort: break;
    case close_kind::reset: {
      const linger immediate{1, 0};
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &immediate, sizeof immediate);  // elsewhere than on TCP an abort
      break;
    }
  }
  return progress::done;
}

progress descriptor_channel::release() {
  if (polls_)
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_),
             [](uv_handle_t* handle) { static_cast<descriptor_channel*>(handle->data)->released(); });
  socket_.close();
  leave_tally();
  return polls_ ? progress::pending : progress::done;
}

void descriptor_channel::watch_what_is_wanted() {
  int events = 0;
  if (wants_input()) events |= UV_READABLE;
  if (has_queued_output()) events |= UV_WRITABLE;
  if (events == 0 && !hung_up_) events = UV_PRIORITIZED;  // hears a reset, does not spin on an end of input (rules R7, E11)
  const bool asks_for_hangup = options().report_hangup_while_paused && !wants_input() && !input_ended() && !hangup_told_;
  watch(asks_for_hangup ? events | UV_DISCONNECT : events);
}

void descriptor_channel::watch(int events) {
  if (events == watched_ && polls_) return;
  if (!polls_) {
    if (const int error = uv_poll_init(static_cast<loop&>(scheduler()).native_handle(), &poll_, socket_.get())) {
      scheduler().call_soon([this, error, self = transport_ref(*this)] {
        if (self) failed(system_error(-error));
      });
      return;
    }
    poll_.data = this;
    polls_ = true;
  }
  watched_ = static_cast<std::uint8_t>(events);
  const auto on_event = reads_by_receive_ ? &descriptor_channel::on_poll_to_receive : &descriptor_channel::on_poll;
  events == 0 ? uv_poll_stop(&poll_) : uv_poll_start(&poll_, events, on_event);
}

void descriptor_channel::on_poll(uv_poll_t* handle, int status, int events) {
  auto& self = *static_cast<descriptor_channel*>(handle->data);
  if (status == 0 && events == UV_READABLE && self.input_is_plain()) [[likely]]
    self.read_first();
  else
    self.ready(status, events);
}

void descriptor_channel::on_poll_to_receive(uv_poll_t* handle, int status, int events) {
  static_cast<descriptor_channel*>(handle->data)->ready(status, events);
}

// One read is what most events are worth, so it goes the shortest way.
void descriptor_channel::read_first() {
  const mutable_bytes room = receive_buffer();
  const ssize_t n = ::recv(socket_.get(), room.data(), room.size(), 0);
  if (n <= 0) [[unlikely]] {
    read_nothing(n);
    return;
  }
  received(static_cast<std::size_t>(n));
  if (static_cast<std::size_t>(n) == room.size()) [[unlikely]]
    read_more();
}

void descriptor_channel::ready(int status, int events) {
  if (status != 0) {
    watched_ = 0;  // libuv stops watching a socket with an error
    read_to_the_end();
    return;
  }
  if ((events & UV_READABLE) != 0) read_more();
  if ((events & UV_WRITABLE) != 0 && socket_.is_open()) {
    if (has_queued_output()) ready_to_send();
    if (!has_queued_output() && socket_.is_open()) watch_what_is_wanted();
  }
  if ((events & UV_DISCONNECT) != 0 && socket_.is_open()) tell_hangup();
  if ((events & UV_PRIORITIZED) != 0 && socket_.is_open()) look_after_hangup();
}

// The peer has ended while nothing is read. Bytes that wait before the end put it off until reading goes on; either way this event, which
// would come again and again, has been heard.
void descriptor_channel::tell_hangup() {
  char waiting = 0;
  hangup_told_ = true;
  if (!wants_input() && ::recv(socket_.get(), &waiting, 1, MSG_PEEK) == 0) received_eof();
  if (socket_.is_open()) watch_what_is_wanted();
}

void descriptor_channel::read_more() {
  for (int i = 0; i < most_reads_per_event; ++i) {
    if (!wants_input()) {
      if (socket_.is_open()) watch_what_is_wanted();
      return;
    }
    if (read_once() != read_outcome::filled) return;
  }
}

descriptor_channel::read_outcome descriptor_channel::read_once() {
  const mutable_bytes room = receive_buffer();
  if (room.empty()) return read_outcome::ended;
  const ssize_t n = receive(room);
  if (n <= 0) return read_nothing(n);
  received(static_cast<std::size_t>(n));
  return static_cast<std::size_t>(n) == room.size() ? read_outcome::filled : read_outcome::some;
}

ssize_t descriptor_channel::receive(mutable_bytes room) { return ::recv(socket_.get(), room.data(), room.size(), 0); }

// The end of input, an error, or nothing at all (rule R8); readiness is reported again where there was only an interruption.
descriptor_channel::read_outcome descriptor_channel::read_nothing(ssize_t result) {
  if (result == 0) {
    received_eof();
    return read_outcome::ended;
  }
  if (errno == EINTR) return read_outcome::some;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return read_outcome::nothing;
  failed(system_error(errno));
  return read_outcome::ended;
}

// The socket has an error. What the peer sent before it comes first (rule L13); asking for the error would take it away.
void descriptor_channel::read_to_the_end() {
  while (wants_input()) {
    const read_outcome outcome = read_once();
    if (outcome == read_outcome::nothing || outcome == read_outcome::ended) break;
  }
  if (!socket_.is_open() || failed_by_socket_error()) return;
  watch_what_is_wanted();
}

bool descriptor_channel::failed_by_socket_error() {
  const int error = pending_error(socket_.get());
  if (error != 0) failed(system_error(error));
  return error != 0;
}

// While nothing is read: an error ends the connection; a hang-up without one only means that both directions are shut; an urgent byte,
// which no stream protocol wants, must not wake us for ever.
void descriptor_channel::look_after_hangup() {
  pollfd now{socket_.get(), POLLPRI, 0};
  if (::poll(&now, 1, 0) < 0 || now.revents == 0) return;
  if ((now.revents & (POLLERR | POLLHUP)) != 0) {
    if (failed_by_socket_error()) return;
    hung_up_ = true;
    watch_what_is_wanted();
    return;
  }
  char urgent = 0;
  if (::recv(socket_.get(), &urgent, 1, MSG_OOB) < 0) watch(watched_ & ~UV_PRIORITIZED);
}

address descriptor_channel::local() const {
  if (local_ != nullptr) return local_->expand();
  const address now = socket_.is_open() ? bound_address(socket_.get()) : address();
  try {
    local_ = std::make_unique<compact_address>(now);
  } catch (const std::bad_alloc&) {
    return now;  // after the end it is not known then
  }
  return now;
}

void descriptor_channel::describe(info_query& query) const {
  query.answer<peer_address>([&] { return peer_address{peer_.expand()}; });
  query.answer<local_address>([&] { return local_address{local()}; });
  query.answer<native_descriptor>([&] { return native_descriptor{socket_.get()}; });
}

}  // namespace sluice::detail
