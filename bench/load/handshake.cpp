#include <array>
#include <limits>
#include <stdexcept>
#include <vector>

#include "link.hpp"
#include "poller.hpp"
#include "tls_client.hpp"
#include "workload.hpp"

namespace load {
namespace {

constexpr std::uint64_t without_end = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t patience = 20'000'000'000;  // nanoseconds without any answer

class handshake final : public workload {
 public:
  handshake(target& server, const plan& wanted, bool resumes) : server_(server), slots_(wanted.connections), resumes_(resumes) {
    if (resumes) link(server).take_ticket(server);
  }

  void run(const limit& until, result& into, histogram& latencies) override {
    latencies_ = &latencies;
    result_ = &into;
    left_ = until.messages.value_or(without_end);
    const std::uint64_t goal = left_;
    const std::uint64_t begin = now();
    std::uint64_t last_answer = begin;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].socket.get() < 0) open(i);
    while (into.messages < goal) {
      const auto ready = poller_.wait(100);
      const std::uint64_t time = now();
      if (until.nanoseconds != 0 && time - begin >= until.nanoseconds) return;
      if (!ready.empty()) last_answer = time;
      if (time - last_answer > patience) throw std::runtime_error("the server does not answer any more");
      for (const epoll_event& each : ready) go_on(each.data.u64);
    }
  }

 private:
  struct slot {
    socket_handle socket;
    std::unique_ptr<tls_session> tls;
    std::uint64_t began = 0;
    bool is_done = false;  // with the handshake
  };

  void open(std::size_t index) {
    if (left_ == 0) return;
    --left_;
    slot& opened = slots_[index];
    opened.began = now();
    opened.is_done = false;
    opened.socket = server_.connect();
    opened.socket.make_non_blocking();
    opened.tls = server_.tls()->open(opened.socket.get());
    poller_.add(opened.socket, EPOLLIN, index);
    go_on(index);
  }

  void go_on(std::size_t index) {
    slot& which = slots_[index];
    if (!which.is_done) {
      if (!which.tls->shake_hands()) return;
      if (resumes_ && !which.tls->was_resumed()) throw std::runtime_error("the server does not take its own ticket");
      which.is_done = true;
      latencies_->record(now() - which.began);
      which.tls->say_goodbye();
    }
    std::array<std::byte, 4096> unwanted;
    ssize_t n = 0;
    do n = which.tls->receive(unwanted);
    while (n > 0);
    if (n < 0) return;
    which.tls.reset();
    which.socket.close();
    ++result_->messages;
    open(index);
  }

  target& server_;
  std::vector<slot> slots_;
  bool resumes_;
  poller poller_;
  std::uint64_t left_ = 0;
  result* result_ = nullptr;
  histogram* latencies_ = nullptr;
};

}  // namespace

std::unique_ptr<workload> make_handshake(target& server, const plan& wanted) { return std::make_unique<handshake>(server, wanted, false); }
std::unique_ptr<workload> make_resume(target& server, const plan& wanted) { return std::make_unique<handshake>(server, wanted, true); }

}  // namespace load
