#include "memory_channel.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/info.hpp>

namespace sluice {

bool detail::memory_wire::strikes() noexcept {
  if (!operations_left) return false;
  if (*operations_left != 0) {
    --*operations_left;
    return false;
  }
  operations_left.reset();
  return struck = true;
}

namespace memory {

channel::channel(sluice::scheduler& owner, wire_ptr wire, side end)
    : stream_transport(owner), wire_(std::move(wire)), end_(end), soon_(owner, [this] { run(); }), arrival_(owner, [this] {
        reconsider();
      }) {
  wire_->ends[index(end_)] = this;
}

channel::~channel() {
  if (wire_->at(end_) == this) leave();  // it was never started, or its scheduler ended before it was released
}

void channel::leave() noexcept {
  wire_->ends[index(end_)] = nullptr;
  wire_->gone[index(end_)] = true;
}

void channel::reconsider() noexcept {
  if (soon_.is_scheduled() || wire_->at(end_) != this) return;
  if (peer_is_gone()) bounce();
  direction& input = in();
  input.settle(scheduler().now());
  const bool failing = input.failure() && !failure_told_;
  if (failing || (wants_input() && can_receive()) || (has_queued_output() && can_send())) {
    soon_.schedule();
  } else if (const time_point next = input.next_arrival(); next != time_point::max()) {
    arrival_.start_at(next);
  }
}

// What a host answers to bytes for a socket that is closed.
void channel::bounce() {
  if (out().cut || !out().strands()) return;
  out().discard();
  in().fail(system_error(ECONNRESET), scheduler().now() + out().latency + in().latency);
}

void channel::reconsider_peer() {
  if (channel* const peer = wire_->at(other(end_))) peer->reconsider();
}

// One read, end or failure, and one go at what is queued, in each turn of its own (rule R10).
void channel::run() {
  in().settle(scheduler().now());
  if (!tell_failure()) {
    if (wants_input()) receive();
    if (has_queued_output() && can_send() && wire_->at(end_) == this) ready_to_send();
  }
  reconsider();
}

// A failure comes behind what arrived before it, unless that is not wanted (rules L13, R7).
bool channel::tell_failure() {
  if (!in().failure() || failure_told_ || (wants_input() && can_receive())) return false;
  failure_told_ = true;
  failed(reset_error());
  return true;
}

void channel::receive() {
  direction& input = in();
  if (input.readable() == 0) {
    if (input.at_end() && !input_ended()) received_eof();
    return;
  }
  if (wire_->strikes()) {
    failure_told_ = true;
    failed(wire_->strike_error);
    return;
  }
  const std::size_t most = std::min(input.readable(), input.receive_limits.next());
  const mutable_bytes buffer = receive_buffer(most);
  if (buffer.empty()) return;
  const std::size_t n = input.read(buffer.first(std::min(buffer.size(), most)));
  reconsider_peer();  // there is room again
  received(n);
}

send_result channel::send(std::span<const const_bytes> parts) {
  if (const std::error_code error = send_failure()) return error;
  if (out().stalled) return {};
  if (wire_->strikes()) return wire_->strike_error;
  const std::size_t taken = out().write(parts, out().send_limits.next(), scheduler().now() + out().latency);
  peer_is_gone() ? reconsider() : reconsider_peer();
  return taken;
}

std::error_code channel::send_failure() const noexcept {
  in().settle(scheduler().now());
  return in().failure() ? reset_error() : out().send_error;
}

// A reset behind the peer's end is EPIPE, as for a socket in CLOSE_WAIT.
std::error_code channel::reset_error() const noexcept {
  const std::error_code error = in().failure();
  return in().end_arrived() && error == std::errc::connection_reset ? system_error(EPIPE) : error;
}

void channel::end_output() {
  out().end(scheduler().now() + out().latency);
  reconsider_peer();
}

std::error_code channel::shutdown_output() {
  end_output();
  return {};
}

progress channel::begin_close(close_kind kind) {
  switch (kind) {
    case close_kind::graceful: end_output(); break;
    case close_kind::abort: break;  // the handle's end is the connection's
    case close_kind::reset: reset_at_release_ = true; break;
  }
  return progress::done;
}

// As a socket does: with unread input the peer gets a reset instead of an end.
progress channel::release() {
  leave();
  soon_.cancel();
  arrival_.stop();
  const time_point now = scheduler().now();
  in().settle(now);
  if (reset_at_release_ || in().readable() != 0) out().fail(system_error(ECONNRESET), now + out().latency);
  end_output();
  return progress::done;
}

void channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"memory"}; });
}

}  // namespace memory
}  // namespace sluice
