#include <sluice/memory.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <sluice/error.hpp>

#include "memory_channel.hpp"

namespace sluice::memory {
namespace {

void check(const options& settings) {
  if (settings.capacity == 0) throw std::invalid_argument("memory::options: capacity is 0; a link must hold at least 1 byte");
  if (settings.latency < duration::zero()) throw std::invalid_argument("memory::options: latency is negative");
}

void reconsider(sluice::detail::memory_wire& wire, side end) {
  if (channel* const there = wire.at(end)) there->reconsider();
}

bool is_zero(std::size_t number) noexcept { return number == 0; }

}  // namespace

link::link(detail::local_ptr<detail::memory_wire> wire) noexcept : wire_(std::move(wire)) {}
link::link(const link&) noexcept = default;
link& link::operator=(const link&) noexcept = default;
link::~link() = default;

void link::stall(side sender, bool on) {
  wire_->from(sender).stalled = on;
  reconsider(*wire_, sender);
}

void link::cut(bool on) {
  for (const side end : {side::first, side::second}) {
    wire_->from(end).cut = on;
  }
  reconsider(*wire_, side::first);
  reconsider(*wire_, side::second);
}

void link::limit_sends(side sender, std::vector<std::size_t> pattern) {
  if (!pattern.empty() && std::all_of(pattern.begin(), pattern.end(), is_zero))
    throw std::invalid_argument("memory::link::limit_sends: every number is 0; nothing would ever be sent (see stall)");
  wire_->from(sender).send_limits = memory::pattern(std::move(pattern));
}

void link::limit_receives(side receiver, std::vector<std::size_t> pattern) {
  if (std::any_of(pattern.begin(), pattern.end(), is_zero))
    throw std::invalid_argument("memory::link::limit_receives: a number is 0; a read brings at least 1 byte");
  wire_->from(other(receiver)).receive_limits = memory::pattern(std::move(pattern));
}

void link::set_latency(side sender, duration latency) {
  if (latency < duration::zero()) throw std::invalid_argument("memory::link::set_latency: the latency is negative");
  wire_->from(sender).latency = latency;
}

void link::fail_sends(side sender, std::error_code error) {
  wire_->from(sender).send_error = error;
  reconsider(*wire_, sender);
}

void link::fail(side at, std::error_code error) {
  channel* const there = wire_->at(at);
  if (there == nullptr) return;
  wire_->from(other(at)).fail(error, there->scheduler().now());
  there->reconsider();
}

void link::reset() {
  fail(side::first, system_error(ECONNRESET));
  fail(side::second, system_error(ECONNRESET));
}

void link::fail_after(std::size_t operations, std::error_code error) {
  wire_->operations_left = operations;
  wire_->strike_error = error;
  wire_->struck = false;
}

bool link::struck() const noexcept { return wire_->struck; }

std::size_t link::in_flight(side sender) const noexcept { return wire_->from(sender).size(); }

bool link::is_open(side end) const noexcept { return wire_->at(end) != nullptr; }

connection pair(scheduler& owner, protocol_ptr first, protocol_ptr second, const options& settings) {
  if (first == nullptr || second == nullptr) throw std::invalid_argument("memory::pair: a protocol is null");
  check(settings);
  const auto wire = wire_ptr::make(settings);
  auto one = std::make_unique<channel>(owner, wire, side::first);
  auto two = std::make_unique<channel>(owner, wire, side::second);
  transport& started = stream_transport::start(std::move(one), std::move(first));
  return {started, stream_transport::start(std::move(two), std::move(second)), link(wire)};
}

}  // namespace sluice::memory
