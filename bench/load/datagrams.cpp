#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pattern.hpp"
#include "poller.hpp"
#include "workload.hpp"

namespace load {
namespace {

constexpr std::uint64_t lost_after = 100'000'000;  // nanoseconds without an answer on a socket
constexpr unsigned most_per_call = 64;
constexpr std::size_t largest = 65'507;

struct peer {
  socket_handle socket;
  std::uint64_t next = 0;              // number of the next datagram
  std::vector<std::uint64_t> waiting;  // when each one that is under way was sent, by its number modulo the depth; 0: it is back
  std::size_t under_way = 0;
  std::uint64_t last_answer = 0;
};

// Each datagram is its number and then the bytes of the stream that lie at this number.
class datagrams final : public workload {
 public:
  datagrams(target& server, const plan& wanted) : plan_(wanted), pattern_(largest) {
    if (wanted.size < sizeof(std::uint64_t) || wanted.size > largest)
      throw std::invalid_argument("a datagram has 8 to 65507 bytes, and not " + std::to_string(wanted.size));
    peers_.resize(wanted.connections);
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      const int buffer = 4 * 1024 * 1024;
      peers_[i].socket = server.connect();
      peers_[i].socket.make_non_blocking();
      peers_[i].waiting.resize(wanted.depth);
      ::setsockopt(peers_[i].socket.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
      poller_.add(peers_[i].socket, EPOLLIN, i);
    }
    for (unsigned i = 0; i < most_per_call; ++i) {
      memory_[i].resize(wanted.size + 1);
      parts_[i] = {memory_[i].data(), memory_[i].size()};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  void run(const limit& until, result& into, histogram& latencies) override {
    into_ = &into;
    latencies_ = &latencies;
    const std::uint64_t goal = until.messages.value_or(std::numeric_limits<std::uint64_t>::max());
    const std::uint64_t begin = now();
    for (std::size_t i = 0; i < peers_.size(); ++i) fill(i, begin);
    while (into.messages < goal) {
      const auto ready = poller_.wait(20);
      const std::uint64_t time = now();
      if (until.nanoseconds != 0 && time - begin >= until.nanoseconds) return;
      for (const epoll_event& each : ready) receive(each.data.u64, time);
      look_for_losses(time);
    }
  }

 private:
  // All sockets have their own part of what is sent, so a datagram on the wrong one shows.
  std::span<const std::byte> body(std::size_t index, std::uint64_t number) const {
    return pattern_.at(index, number * plan_.size, plan_.size - sizeof number);
  }

  void receive(std::size_t index, std::uint64_t time) {
    for (;;) {
      for (unsigned i = 0; i < most_per_call; ++i) parts_[i].iov_len = memory_[i].size();
      const int count = ::recvmmsg(peers_[index].socket.get(), messages_.data(), most_per_call, MSG_DONTWAIT, nullptr);
      if (count < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg");
      for (int i = 0; i < count; ++i)
        take(index, std::span(memory_[static_cast<std::size_t>(i)]).first(messages_[static_cast<std::size_t>(i)].msg_len), time);
      if (count > 0) fill(index, time);
      if (count < static_cast<int>(most_per_call)) return;
    }
  }

  void take(std::size_t index, std::span<const std::byte> data, std::uint64_t time) {
    if (data.size() != plan_.size) throw std::runtime_error("a datagram came back with " + std::to_string(data.size()) + " bytes");
    std::uint64_t number = 0;
    std::memcpy(&number, data.data(), sizeof number);
    pattern_.check(index, number * plan_.size, data.subspan(sizeof number));
    peer& from = peers_[index];
    std::uint64_t& sent = from.waiting[number % plan_.depth];
    if (number >= from.next || from.next - number > plan_.depth || sent == 0) return;  // given up as lost before
    latencies_->record(time - sent);
    sent = 0;
    --from.under_way;
    from.last_answer = time;
    ++into_->messages;
    into_->bytes += data.size();
  }

  // As many as may be under way, in order: the window begins with the oldest that is not back.
  void fill(std::size_t index, std::uint64_t time) {
    peer& to = peers_[index];
    unsigned count = 0;
    if (to.under_way == 0) to.last_answer = time;
    while (to.waiting[to.next % plan_.depth] == 0) {
      std::memcpy(memory_[count].data(), &to.next, sizeof to.next);
      std::ranges::copy(body(index, to.next), memory_[count].begin() + sizeof to.next);
      parts_[count].iov_len = plan_.size;
      to.waiting[to.next++ % plan_.depth] = time;
      ++to.under_way;
      if (++count == most_per_call) send(to, std::exchange(count, 0U));
    }
    if (count != 0) send(to, count);
  }

  // What the system does not take is lost like any other.
  void send(const peer& to, unsigned count) {
    const int taken = ::sendmmsg(to.socket.get(), messages_.data(), count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) fail("sendmmsg");
  }

  void look_for_losses(std::uint64_t time) {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      peer& each = peers_[i];
      if (each.under_way == 0 || time - each.last_answer < lost_after) continue;
      into_->lost += each.under_way;
      std::ranges::fill(each.waiting, 0);
      each.under_way = 0;
      fill(i, time);
    }
  }

  plan plan_;
  pattern pattern_;
  poller poller_;
  std::vector<peer> peers_;
  std::array<std::vector<std::byte>, most_per_call> memory_;
  std::array<iovec, most_per_call> parts_{};
  std::array<mmsghdr, most_per_call> messages_{};
  result* into_ = nullptr;
  histogram* latencies_ = nullptr;
};

}  // namespace

std::unique_ptr<workload> make_datagrams(target& server, const plan& wanted) { return std::make_unique<datagrams>(server, wanted); }

}  // namespace load
