#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pattern.hpp"
#include "poller.hpp"
#include "workload.hpp"

namespace load {
namespace {

constexpr std::uint64_t without_end = std::numeric_limits<std::uint64_t>::max();

class connect_load final : public workload {
 public:
  connect_load(target& server, const plan& wanted)
      : server_(server), pattern_(wanted.size), slots_(wanted.connections), buffer_(wanted.size) {}

  void run(const limit& until, result& into, histogram& latencies) override {
    latencies_ = &latencies;
    result_ = &into;
    left_ = until.messages.value_or(without_end);
    const std::uint64_t begin = now();
    const std::uint64_t goal = left_;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].socket.get() < 0) open(i);
    while (into.messages < goal) {
      for (const epoll_event& each : poller_.wait(100)) receive(each.data.u64);
      if (until.nanoseconds != 0 && now() - begin >= until.nanoseconds) return;
    }
  }

 private:
  struct slot {
    socket_handle socket;
    std::uint64_t began = 0;
    std::size_t received = 0;
  };

  void open(std::size_t index) {
    if (left_ == 0) return;
    --left_;
    slot& opened = slots_[index];
    opened.began = now();
    opened.received = 0;
    opened.socket = server_.connect();
    opened.socket.send_all(pattern_.at(index, 0, buffer_.size()));
    opened.socket.make_non_blocking();
    poller_.add(opened.socket, EPOLLIN, index);
  }

  void receive(std::size_t index) {
    slot& from = slots_[index];
    const ssize_t n = ::recv(from.socket.get(), buffer_.data(), buffer_.size() - from.received, 0);
    if (n == 0) throw std::runtime_error("the server ended a connection before its message was back");
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      fail("recv");
    }
    pattern_.check(index, from.received, std::span(buffer_).first(static_cast<std::size_t>(n)));
    from.received += static_cast<std::size_t>(n);
    if (from.received < buffer_.size()) return;
    from.socket.close();
    latencies_->record(now() - from.began);
    ++result_->messages;
    result_->bytes += buffer_.size();
    open(index);
  }

  target& server_;
  pattern pattern_;
  std::vector<slot> slots_;
  std::vector<std::byte> buffer_;
  poller poller_;
  std::uint64_t left_ = 0;
  result* result_ = nullptr;
  histogram* latencies_ = nullptr;
};

}  // namespace

std::unique_ptr<workload> make_connect(target& server, const plan& wanted) { return std::make_unique<connect_load>(server, wanted); }

}  // namespace load
