#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "poller.hpp"
#include "workload.hpp"

namespace load {
namespace {

// One direction at full speed: what both kinds share.
class bulk : public workload {
 public:
  bulk(target& server, const plan& wanted, std::uint32_t events, std::size_t piece) : size_(wanted.size), buffer_(piece) {
    for (std::size_t i = 0; i < wanted.connections; ++i) {
      sockets_.push_back(server.connect());
      sockets_[i].make_non_blocking();
      poller_.add(sockets_[i], events, i);
    }
  }

  void run(const limit& until, result& into, histogram&) override {
    if (until.messages) throw std::invalid_argument("sink and source take a time and not a number of messages");
    const std::uint64_t begin = now();
    while (now() - begin < until.nanoseconds)
      for (const epoll_event& each : poller_.wait(100)) {
        const ssize_t n = move(sockets_[each.data.u64].get(), buffer_);
        if (n < 0 && errno != EAGAIN && errno != EINTR) fail("send or recv");
        if (n > 0) bytes_ += static_cast<std::uint64_t>(n);
      }
    into.messages += bytes_ / size_;
    into.bytes += bytes_ / size_ * size_;
    bytes_ %= size_;
  }

 private:
  virtual ssize_t move(int socket, std::span<std::byte> buffer) = 0;

  std::size_t size_;
  std::uint64_t bytes_ = 0;
  poller poller_;
  std::vector<socket_handle> sockets_;
  std::vector<std::byte> buffer_;
};

class sink final : public bulk {
 public:
  sink(target& server, const plan& wanted) : bulk(server, wanted, EPOLLOUT, wanted.size) {}

 private:
  ssize_t move(int socket, std::span<std::byte> buffer) override { return ::send(socket, buffer.data(), buffer.size(), MSG_NOSIGNAL); }
};

class source final : public bulk {
 public:
  source(target& server, const plan& wanted) : bulk(server, wanted, EPOLLIN, 2 * wanted.size), zeros_(2 * wanted.size) {}

 private:
  ssize_t move(int socket, std::span<std::byte> buffer) override {
    const ssize_t n = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (n == 0) throw std::runtime_error("the server ended a connection");
    if (n > 0 && std::memcmp(buffer.data(), zeros_.data(), static_cast<std::size_t>(n)) != 0)
      throw std::runtime_error("the server sent something else than zeros");
    return n;
  }

  std::vector<std::byte> zeros_;
};

}  // namespace

std::unique_ptr<workload> make_sink(target& server, const plan& wanted) { return std::make_unique<sink>(server, wanted); }
std::unique_ptr<workload> make_source(target& server, const plan& wanted) { return std::make_unique<source>(server, wanted); }

}  // namespace load
