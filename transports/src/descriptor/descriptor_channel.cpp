#include "descriptor_channel.hpp"

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/transport_ref.hpp>

#include <poll.h>

#include <cerrno>
#include <utility>

namespace sluice::detail {
namespace {

constexpr int most_reads_per_event = 4;  // further ones only if the buffer was filled (rule R10)

}  // namespace

[[gnu::noinline]] send_result send_failed(int error) noexcept {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return {};
  return system_error(error);
}

descriptor_channel::descriptor_channel(loop& owner, descriptor watched, const shared_stream_options& options)
    : stream_transport(owner, options), descriptor_(std::move(watched)) {}

descriptor_channel::~descriptor_channel() { descriptor_.close(); }

void descriptor_channel::start_reading() {
  hung_up_ = hangup_told_ = false;
  if ((watched_ & UV_READABLE) == 0) watch_what_is_wanted();
}

// Nothing to do yet: a pause that ends before more input arrives costs no system call.
void descriptor_channel::stop_reading() {
  if (options().report_hangup_while_paused) watch_what_is_wanted();
}

void descriptor_channel::send_later(std::span<const const_bytes>) {
  if ((watched_ & UV_WRITABLE) == 0) watch_what_is_wanted();
}

progress descriptor_channel::release() {
  if (polls_)
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_),
             [](uv_handle_t* handle) { static_cast<descriptor_channel*>(handle->data)->released(); });
  descriptor_.close();
  return polls_ ? progress::pending : progress::done;
}

bool descriptor_channel::asks_for_hangup() const noexcept {
  return options().report_hangup_while_paused && !wants_input() && !input_ended() && !hangup_told_;
}

void descriptor_channel::watch_what_is_wanted() {
  int events = 0;
  if (wants_input()) events |= UV_READABLE;
  if (has_queued_output() && !sends_elsewhere_) events |= UV_WRITABLE;
  if (events == 0 && !hung_up_) events = UV_PRIORITIZED;  // hears a reset, does not spin on an end of input (rules R7, E11)
  watch(asks_for_hangup() ? events | UV_DISCONNECT : events);
}

void descriptor_channel::watch(int events) {
  if (events == watched_ && polls_) return;
  if (!polls_) {
    if (const int error = uv_poll_init(static_cast<loop&>(scheduler()).native_handle(), &poll_, descriptor_.get())) {
      scheduler().call_soon([this, error, self = transport_ref(*this)] {
        if (self) failed(system_error(-error));
      });
      return;
    }
    poll_.data = this;
    polls_ = true;
  }
  watched_ = static_cast<std::uint8_t>(events);
  events == 0 ? uv_poll_stop(&poll_) : uv_poll_start(&poll_, events, on_event());
}

void descriptor_channel::on_poll(uv_poll_t* handle, int status, int events) {
  static_cast<descriptor_channel*>(handle->data)->ready(status, events);
}

void descriptor_channel::ready(int status, int events) {
  if (status != 0) {
    watched_ = 0;  // libuv stops watching a descriptor with an error
    broken();
    return;
  }
  if ((events & UV_READABLE) != 0) read_more();
  if ((events & UV_WRITABLE) != 0 && is_open()) writable();
  if ((events & UV_DISCONNECT) != 0 && is_open()) tell_hangup();
  if ((events & UV_PRIORITIZED) != 0 && is_open()) look_after_hangup();
}

void descriptor_channel::writable() {
  const std::uint64_t before = counters().bytes_sent;
  if (has_queued_output()) ready_to_send();
  if (!is_open()) return;
  if (!has_queued_output())
    watch_what_is_wanted();
  else if (counters().bytes_sent == before && nobody_takes())
    failed(system_error(EPIPE));
}

// A hang-up wakes us for ever although nothing can be sent: the other side of a terminal has gone, with its buffer full.
bool descriptor_channel::nobody_takes() const noexcept {
  pollfd now{descriptor_.get(), POLLOUT, 0};
  return ::poll(&now, 1, 0) > 0 && (now.revents & (POLLHUP | POLLOUT)) == POLLHUP;
}

// The peer has ended while nothing is read. Bytes that wait before the end put it off until reading goes on; either way this event, which
// would come again and again, has been heard.
void descriptor_channel::tell_hangup() {
  hangup_told_ = true;
  if (!wants_input() && is_at_end()) received_eof();
  if (is_open()) watch_what_is_wanted();
}

void descriptor_channel::read_more() {
  for (int i = 0; i < most_reads_per_event; ++i) {
    if (!wants_input()) {
      if (is_open()) watch_what_is_wanted();
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

void descriptor_channel::read_to_the_end() {
  while (wants_input()) {
    const read_outcome outcome = read_once();
    if (outcome == read_outcome::nothing || outcome == read_outcome::ended) break;
  }
}

// While nothing is read: an error ends the connection; a hang-up without one only means that both directions are shut; something urgent,
// which no stream protocol wants, must not wake us for ever.
void descriptor_channel::look_after_hangup() {
  pollfd now{descriptor_.get(), POLLPRI, 0};
  if (::poll(&now, 1, 0) < 0 || now.revents == 0) return;
  if ((now.revents & (POLLERR | POLLHUP)) != 0) {
    if (failed_by_error()) return;
    hung_up_ = true;
    asks_for_hangup() ? tell_hangup() : watch_what_is_wanted();
    return;
  }
  if (!take_urgent()) watch(watched_ & ~UV_PRIORITIZED);
}

void descriptor_channel::describe(info_query& query) const {
  query.answer<native_descriptor>([&] { return native_descriptor{descriptor_.get()}; });
}

}  // namespace sluice::detail
