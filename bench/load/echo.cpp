#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>
#include <vector>

#include "link.hpp"
#include "pattern.hpp"
#include "poller.hpp"
#include "workload.hpp"

namespace load {
namespace {

constexpr std::size_t receive_size = 256 * 1024;
constexpr std::uint64_t without_end = std::numeric_limits<std::uint64_t>::max() / 4;
constexpr std::uint64_t patience = 20'000'000'000;  // nanoseconds without any answer

struct connection {
  link through;
  std::vector<std::uint64_t> started;  // when each message under way began, by its number modulo the depth
  std::uint64_t sent = 0;              // bytes
  std::uint64_t received = 0;
  std::uint64_t last = 0;  // number of the message after the last one of this phase
  bool full = false;       // the kernel took less than it was given
};

class echo final : public workload {
 public:
  echo(target& server, const plan& wanted) : plan_(wanted), pattern_(std::max(receive_size, wanted.size * wanted.depth)) {
    connections_.resize(wanted.connections);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].through = link(server);
      connections_[i].started.resize(wanted.depth);
      poller_.add(connections_[i].through.socket(), EPOLLIN, i);
    }
  }

  void run(const limit& until, result& into, histogram& latencies) override {
    latencies_ = &latencies;
    result_ = &into;
    const std::uint64_t goal = set_goals(until);
    const std::uint64_t begin = now();
    std::uint64_t last_answer = begin;
    for (std::size_t i = 0; i < connections_.size(); ++i) fill(i, begin);
    while (into.messages < goal) {
      const auto ready = poller_.wait(100);
      const std::uint64_t time = now();
      if (until.nanoseconds != 0 && time - begin >= until.nanoseconds) return;
      if (!ready.empty()) last_answer = time;
      if (time - last_answer > patience) throw std::runtime_error("the server does not answer any more");
      for (const epoll_event& each : ready) serve(each.data.u64, each.events);
    }
  }

 private:
  // Returns how many messages end the phase.
  std::uint64_t set_goals(const limit& until) {
    std::uint64_t share = until.messages.value_or(0) / connections_.size();
    const std::uint64_t odd = until.messages.value_or(0) % connections_.size();
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connection& each = connections_[i];
      each.last = until.messages ? each.received / plan_.size + share + (i < odd ? 1 : 0) : without_end / plan_.size;
    }
    return until.messages.value_or(without_end);
  }

  void serve(std::size_t index, std::uint32_t events) {
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) receive(index);
    if (events & EPOLLOUT) fill(index, now());
  }

  void receive(std::size_t index) {
    connection& from = connections_[index];
    do {
      const auto data = std::span<const std::byte>(buffer_).first(from.through.receive(buffer_));
      if (data.empty()) return;
      received(index, data);
    } while (from.through.holds_more());
  }

  void received(std::size_t index, std::span<const std::byte> data) {
    connection& from = connections_[index];
    pattern_.check(index, from.received, data);
    const std::uint64_t time = now();
    const std::uint64_t before = from.received / plan_.size;
    from.received += data.size();
    result_->bytes += data.size();
    for (std::uint64_t i = before; i < from.received / plan_.size; ++i) latencies_->record(time - from.started[i % plan_.depth]);
    result_->messages += from.received / plan_.size - before;
    fill(index, time);
  }

  // Sends as many messages as may be under way.
  void fill(std::size_t index, std::uint64_t time) {
    connection& to = connections_[index];
    const std::uint64_t end = std::min(to.received / plan_.size + plan_.depth, to.last) * plan_.size;
    if (to.sent >= end) return;
    const std::uint64_t first = (to.sent + plan_.size - 1) / plan_.size;
    for (std::uint64_t i = first; i < end / plan_.size; ++i) to.started[i % plan_.depth] = time;
    const auto data = pattern_.at(index, to.sent, static_cast<std::size_t>(end - to.sent));
    to.sent += to.through.send(data);
    if (const bool full = to.sent < end; full != to.full) {
      to.full = full;
      poller_.change(to.through.socket(), full ? EPOLLIN | EPOLLOUT : EPOLLIN, index);
    }
  }

  plan plan_;
  pattern pattern_;
  poller poller_;
  std::vector<connection> connections_;
  std::array<std::byte, receive_size> buffer_{};
  result* result_ = nullptr;
  histogram* latencies_ = nullptr;
};

}  // namespace

std::unique_ptr<workload> make_echo(target& server, const plan& wanted) { return std::make_unique<echo>(server, wanted); }

}  // namespace load
