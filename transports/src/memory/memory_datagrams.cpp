#include <sluice/memory/datagrams.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sluice/deferred_call.hpp>
#include <sluice/error.hpp>
#include <sluice/timer.hpp>

namespace sluice::memory {
namespace {

class datagram_channel;

constexpr std::size_t index(side end) noexcept { return static_cast<std::size_t>(end); }
constexpr side other(side end) noexcept { return end == side::first ? side::second : side::first; }
address address_of(side end) noexcept { return address::loopback_v4(static_cast<std::uint16_t>(index(end) + 1)); }

// What travels one way, each datagram with the time at which it arrives.
class datagram_direction {
 public:
  explicit datagram_direction(const datagram_link_options& settings) : arrivals_(settings.capacity) {}
  datagram_direction(const datagram_direction&) = delete;
  datagram_direction& operator=(const datagram_direction&) = delete;
  ~datagram_direction() { queue.clear(pool); }

  bool is_full() const noexcept { return queue.count() == arrivals_.size(); }
  void add(const_bytes data, const address& from, time_point arrives) {
    queue.append(pool, data, from);
    arrivals_[(first_ + queue.count() - 1) % arrivals_.size()] = arrives;
  }
  // The time at which the datagram behind `n` others arrives; max() if there is none.
  time_point arrival(std::size_t n) const noexcept {
    return n < queue.count() ? arrivals_[(first_ + n) % arrivals_.size()] : time_point::max();
  }
  void remove(std::size_t n) noexcept {
    queue.consume(pool, n);
    first_ = (first_ + n) % arrivals_.size();
  }

  detail::chunk_pool pool;
  detail::datagram_queue queue;
  bool stalled = false;
  std::error_code send_error;

 private:
  std::vector<time_point> arrivals_;
  std::size_t first_ = 0;
};

}  // namespace
}  // namespace sluice::memory

// What lies between the two ends. Outlives both, for the test's handle.
struct sluice::detail::datagram_wire {
  explicit datagram_wire(const memory::datagram_link_options& link)
      : settings(link), sent_by{memory::datagram_direction(link), memory::datagram_direction(link)} {}

  memory::datagram_direction& from(memory::side sender) noexcept { return sent_by[memory::index(sender)]; }
  memory::datagram_channel*& at(memory::side end) noexcept { return ends[memory::index(end)]; }

  memory::datagram_link_options settings;
  memory::datagram_direction sent_by[2];
  memory::datagram_channel* ends[2] = {};  // null before it is made and once it gave back its handle
};

namespace sluice::memory {
namespace {

using wire_ptr = detail::local_ptr<detail::datagram_wire>;

// One end. Everything that it tells its engine it tells from `run`, which the scheduler calls.
class datagram_channel final : public datagram_transport {
 public:
  datagram_channel(sluice::scheduler& owner, wire_ptr wire, side end)
      : datagram_transport(owner, wire->settings.transport, wire->settings.connected ? address_of(other(end)) : address()),
        wire_(std::move(wire)),
        end_(end),
        soon_(owner, [this] { run(); }),
        arrival_(owner, [this] { reconsider(); }) {
    wire_->at(end_) = this;
  }
  ~datagram_channel() override {
    if (wire_->at(end_) == this) wire_->at(end_) = nullptr;
  }

  void reconsider() noexcept;
  void fail_receive(std::error_code error) {
    receive_error_ = error;
    reconsider();
  }
  void fail(std::error_code error) {
    failure_ = error;
    reconsider();
  }

 private:
  void start_reading() override { reconsider(); }
  void stop_reading() override {}
  datagrams_sent send_batch(std::span<const outgoing_datagram> batch) override;
  void send_later() override { reconsider(); }
  bool can_send_to(const address& to) const noexcept override { return to.is_v4() && to.port() != 0; }
  progress release() override;
  void describe(info_query& query) const override;

  datagram_direction& out() const noexcept { return wire_->from(end_); }
  datagram_direction& in() const noexcept { return wire_->from(other(end_)); }
  datagram_channel* peer() const noexcept { return wire_->at(other(end_)); }
  bool can_receive() const noexcept { return in().arrival(0) <= scheduler().now(); }
  bool can_send() const noexcept { return !out().stalled && !out().is_full(); }
  void reconsider_peer() {
    if (datagram_channel* const there = peer()) there->reconsider();
  }
  std::error_code send_one(const outgoing_datagram& each);
  void run();
  void receive();

  wire_ptr wire_;
  side end_;
  std::error_code receive_error_;
  std::error_code failure_;
  deferred_call soon_;
  timer arrival_;
};

void datagram_channel::reconsider() noexcept {
  if (soon_.is_scheduled() || wire_->at(end_) != this) return;
  if (failure_ || receive_error_ || (wants_input() && can_receive()) || (has_queued_output() && can_send())) {
    soon_.schedule();
  } else if (const time_point next = in().arrival(0); next != time_point::max() && next > scheduler().now()) {
    arrival_.start_at(next);
  }
}

void datagram_channel::run() {
  const wire_ptr keep = wire_;
  if (failure_) failed(std::exchange(failure_, {}));
  if (receive_error_) receive_failed(std::exchange(receive_error_, {}));
  if (wants_input() && can_receive()) receive();
  if (keep->at(end_) == this && has_queued_output() && can_send()) ready_to_send();
  reconsider();
}

void datagram_channel::receive() {
  std::array<incoming_datagram, most_per_batch> batch;
  std::size_t n = 0;
  std::array<std::byte, largest_datagram> room;
  detail::datagram_queue::place at;
  for (bool joined = false; n < most_per_batch && !joined && in().arrival(n) <= scheduler().now(); ++n) {
    const auto next = in().queue.next(at, room);
    batch[n] = {next.data, next.peer, next.data.size() > wire_->settings.largest};
    joined = next.joined;
  }
  received({batch.data(), n}, {});
  in().remove(n);
  reconsider_peer();  // there is room again
}

datagrams_sent datagram_channel::send_batch(std::span<const outgoing_datagram> batch) {
  datagrams_sent result;
  for (; result.taken < batch.size() && can_send(); ++result.taken) {
    result.error = out().send_error ? out().send_error : send_one(batch[result.taken]);
    if (result.error) break;
  }
  reconsider_peer();
  return result;
}

std::error_code datagram_channel::send_one(const outgoing_datagram& each) {
  if (each.to != nullptr && *each.to != address_of(other(end_))) return system_error(EHOSTUNREACH);
  if (peer() == nullptr && is_connected()) fail_receive(system_error(ECONNREFUSED));
  if (peer() == nullptr) return {};
  try {
    out().add(each.data, address_of(end_), scheduler().now() + wire_->settings.latency);
    return {};
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
}

progress datagram_channel::release() {
  wire_->at(end_) = nullptr;
  soon_.cancel();
  arrival_.stop();
  in().remove(in().queue.count());
  reconsider_peer();
  return progress::done;
}

void datagram_channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"memory datagrams"}; });
  query.answer<local_address>([&] { return local_address{address_of(end_)}; });
  if (is_connected()) query.answer<peer_address>([&] { return peer_address{connected_peer()}; });
}

void check(const datagram_link_options& settings) {
  if (settings.capacity == 0)
    throw std::invalid_argument("memory::datagram_link_options: capacity is 0; a link must hold at least 1 datagram");
  if (settings.latency < duration::zero()) throw std::invalid_argument("memory::datagram_link_options: latency is negative");
}

}  // namespace

datagram_link::datagram_link(detail::local_ptr<detail::datagram_wire> wire) noexcept : wire_(std::move(wire)) {}
datagram_link::datagram_link(const datagram_link&) noexcept = default;
datagram_link& datagram_link::operator=(const datagram_link&) noexcept = default;
datagram_link::~datagram_link() = default;

void datagram_link::stall(side sender, bool on) {
  wire_->from(sender).stalled = on;
  if (datagram_channel* const there = wire_->at(sender)) there->reconsider();
}

void datagram_link::fail_sends(side sender, std::error_code error) { wire_->from(sender).send_error = error; }

void datagram_link::fail_receive(side at, std::error_code error) {
  if (datagram_channel* const there = wire_->at(at)) there->fail_receive(error);
}

void datagram_link::fail(side at, std::error_code error) {
  if (datagram_channel* const there = wire_->at(at)) there->fail(error);
}

std::size_t datagram_link::in_flight(side sender) const noexcept { return wire_->from(sender).queue.count(); }

datagram_connection datagram_pair(scheduler& owner, datagram_protocol_ptr first, datagram_protocol_ptr second,
                                  const datagram_link_options& settings) {
  if (first == nullptr || second == nullptr) throw std::invalid_argument("memory::datagram_pair: a protocol is null");
  check(settings);
  const auto wire = wire_ptr::make(settings);
  auto one = std::make_unique<datagram_channel>(owner, wire, side::first);
  auto two = std::make_unique<datagram_channel>(owner, wire, side::second);
  datagram_transport& started = datagram_transport::start(std::move(one), std::move(first));
  return {started, datagram_transport::start(std::move(two), std::move(second)), datagram_link(wire)};
}

}  // namespace sluice::memory
