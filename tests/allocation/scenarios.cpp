#include "scenarios.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <doctest/doctest.h>
#include <sluice/info.hpp>
#include <sluice/layer.hpp>
#include <sluice/local.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/timer.hpp>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::allocation_counter;
using sluice::testing::manual_scheduler;

namespace {

constexpr std::size_t warm_up = 100;
constexpr std::size_t measured = 1000;
constexpr std::size_t all = warm_up + measured;

// Runs from `begin` to `end`, both of which cost nothing.
class meter {
 public:
  void begin() noexcept {
    heap_.emplace();
    calls_ = system_calls::of_this_thread();
  }
  void end() noexcept {
    result_ = {heap_->counts().allocations, system_calls::of_this_thread() - calls_};
    ended_ = true;
  }
  // For an event that comes `all` times.
  void tick() noexcept {
    ++ticks_;
    if (ticks_ == warm_up) begin();
    if (ticks_ == all) end();
  }
  bool ended() const noexcept { return ended_; }
  const cost& result() const noexcept { return result_; }

 private:
  std::optional<allocation_counter> heap_;
  system_calls calls_;
  cost result_;
  std::size_t ticks_ = 0;
  bool ended_ = false;
};

struct echo_plan {
  std::size_t size = 64;   // of a message
  bool layer = false;      // one that passes everything through
  std::size_t writes = 1;  // per message
};

// Echoes, and measures between the message that ends the warm-up and the last one.
class measured_echo final : public protocol {
 public:
  measured_echo(const echo_plan& plan, meter& meter) : plan_(plan), meter_(meter) {}

  void connection_made(transport& made) override { transport_ = &made; }
  void data_received(const_bytes data) override {
    const std::size_t before = seen_;
    seen_ += data.size();
    if (before < warm_up * plan_.size && seen_ >= warm_up * plan_.size) meter_.begin();
    if (seen_ == all * plan_.size) meter_.end();
    const std::size_t piece = data.size() / plan_.writes;
    for (std::size_t i = 1; i < plan_.writes; ++i, data = data.subspan(piece)) transport_->write(data.first(piece));
    transport_->write(data);
  }

 private:
  const echo_plan& plan_;
  meter& meter_;
  transport* transport_ = nullptr;
  std::size_t seen_ = 0;
};

// Gives the pool of `owner` more chunks than are ever in use at once later: how many that are depends on the system's pace.
void fill_pool(scheduler& owner) {
  struct silent final : protocol {
    void data_received(const_bytes) override {}
  };
  const auto ends = memory::pair(owner, std::make_unique<silent>(), std::make_unique<silent>());
  ends.first.write(std::string(3'000'000, 'x'));
  ends.first.abort();
  ends.second.abort();
}

protocol_factory echo_factory(scheduler& owner, const echo_plan& plan, meter& meter) {
  fill_pool(owner);
  const auto make = [&] { return std::make_unique<measured_echo>(plan, meter); };
  return plan.layer ? wrap<layer>(owner, make) : make;
}

struct tcp_sockets {
  using server = tcp::server;
  address at() const { return address::loopback_v4(0); }
};

struct unix_sockets {
  using server = local::server;
  temporary_folder folder;
  address at() const { return address::unix_path(folder / "x.sock"); }
};

// A server in this thread, and a client made of plain sockets in another, whose calls are not counted.
template <typename Sockets>
cost serve(const protocol_factory& factory, loop& owner, meter& meter, const std::function<void(const address&)>& client) {
  const Sockets sockets;
  typename Sockets::server server(owner, factory);
  const address at = server.listen(sockets.at());
  std::thread other([&] { client(at); });
  CHECK(run_until(owner, [&] { return meter.ended() && owner.open_transports() == 0; }));
  other.join();
  return meter.result();
}

template <typename Sockets>
cost echo_over(const echo_plan& plan) {
  loop owner;
  meter meter;
  return serve<Sockets>(echo_factory(owner, plan, meter), owner, meter, [&](const address& at) {
    raw_socket client = raw_socket::connected_to(at);
    const std::string message(plan.size, 'x');
    for (std::size_t i = 0; i < all; ++i) {
      client.send(message);
      client.receive(plan.size);
    }
  });
}

// Echoes to a client that does not read until output has piled up, and counts how often it did.
class flooded_echo final : public protocol {
 public:
  static constexpr std::size_t rounds = 20;
  struct tides {
    std::atomic<std::size_t> pauses = 0;
    std::atomic<std::size_t> resumes = 0;
  };

  flooded_echo(tides& seen, meter& meter) : seen_(seen), meter_(meter) {}

  void connection_made(transport& made) override {
    transport_ = &made;
    keep_little(made.info<native_descriptor>()->value, SO_SNDBUF);
  }
  void data_received(const_bytes data) override { transport_->write(data); }
  backpressure pause_writing() override {
    const std::size_t now = ++seen_.pauses;
    if (now == 2) meter_.begin();
    if (now == rounds) meter_.end();
    return backpressure::hold_reading;
  }
  void resume_writing() override { ++seen_.resumes; }

  // What the system does not hold, the library has to.
  static void keep_little(int socket, int buffer) {
    const int size = 64 * 1024;
    CHECK(::setsockopt(socket, SOL_SOCKET, buffer, &size, sizeof size) == 0);
  }

 private:
  tides& seen_;
  meter& meter_;
  transport* transport_ = nullptr;
};

void wait_a_little_for(int socket, short events) {
  pollfd asked{socket, events, 0};
  ::poll(&asked, 1, 1);
}

void flood(const address& at, const flooded_echo::tides& seen) {
  raw_socket client = raw_socket::connected_to(at);
  flooded_echo::keep_little(client.get(), SO_RCVBUF);
  std::string block(16 * 1024, 'x');
  for (std::size_t round = 1; round <= flooded_echo::rounds; ++round) {
    while (seen.pauses < round)
      if (::send(client.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) wait_a_little_for(client.get(), POLLOUT);
    while (seen.resumes < round)
      if (::recv(client.get(), block.data(), block.size(), MSG_DONTWAIT) < 0) wait_a_little_for(client.get(), POLLIN);
  }
  client.end_output();
  client.receive_all();
}

template <typename Sockets>
cost echo_to_slow_reader() {
  loop owner;
  meter meter;
  flooded_echo::tides seen;
  fill_pool(owner);
  return serve<Sockets>([&] { return std::make_unique<flooded_echo>(seen, meter); }, owner, meter,
                        [&](const address& at) { flood(at, seen); });
}

// Sends the next message when the last one has come back.
class pinger final : public protocol {
 public:
  explicit pinger(std::size_t size) : message_(size, 'x') {}
  void connection_made(transport& made) override {
    transport_ = &made;
    made.write(message_);
  }
  void data_received(const_bytes data) override {
    seen_ += data.size();
    if (seen_ == all * message_.size())
      transport_->close();
    else if (seen_ % message_.size() == 0)
      transport_->write(message_);
  }
  // Reads on: if both ends waited for the other to read, both would wait for ever.
  backpressure pause_writing() override { return backpressure::handled; }

 private:
  std::string message_;
  transport* transport_ = nullptr;
  std::size_t seen_ = 0;
};

cost echo_over_memory(const echo_plan& plan, const memory::options& link = {}) {
  manual_scheduler owner;
  meter meter;
  memory::pair(owner, std::make_unique<pinger>(plan.size), echo_factory(owner, plan, meter)(), link);
  owner.run_until([&] { return meter.ended() && owner.open_transports() == 0; }, 1h);
  CHECK(meter.ended());
  return meter.result();
}

template <typename Sockets>
cost accept_and_close() {
  class counted final : public protocol {
   public:
    explicit counted(meter& counts) : meter_(counts) {}
    void data_received(const_bytes) override {}
    void connection_lost(std::error_code) override { meter_.tick(); }

   private:
    meter& meter_;
  };
  const auto client = [](const address& at) {
    std::vector<raw_socket> together;  // more at once than there are later, so that no table grows any more
    for (std::size_t i = 0; i < warm_up / 2; ++i) together.push_back(raw_socket::connected_to(at));
    for (raw_socket& each : together) each.end_output();
    for (raw_socket& each : together) each.receive_all();
    for (std::size_t i = together.size(); i < all; ++i) {
      raw_socket next = raw_socket::connected_to(at);
      next.end_output();
      next.receive_all();
    }
  };
  loop owner;
  meter meter;
  return serve<Sockets>([&] { return std::make_unique<counted>(meter); }, owner, meter, client);
}

// `next(again)` arranges for `again` to be called, in a later turn.
cost chain_of_events(const std::function<void(loop&, const std::function<void()>&)>& next) {
  loop owner;
  meter meter;
  const std::function<void()> again = [&] {
    meter.tick();
    if (!meter.ended()) next(owner, again);
  };
  next(owner, again);
  owner.run();
  CHECK(meter.ended());
  return meter.result();
}

cost expiring_timer() {
  loop owner;
  meter meter;
  timer next(owner, [&] {
    meter.tick();
    if (!meter.ended()) next.start(0ms);
  });
  next.start(0ms);
  owner.run();
  return meter.result();
}

cost restarted_timers() {
  manual_scheduler owner;
  meter meter;
  std::vector<std::unique_ptr<timer>> timers;
  for (int i = 0; i < 100; ++i) timers.push_back(std::make_unique<timer>(owner, [] {}));
  for (std::size_t i = 0; i < all; ++i) {
    timers[i % timers.size()]->start(std::chrono::milliseconds(i * 7919 % 1000 + 1));
    if (i % 3 == 0) timers[i * 31 % timers.size()]->stop();
    meter.tick();
  }
  return meter.result();
}

constexpr std::size_t kib = 1024;

}  // namespace

std::vector<scenario> all_scenarios() {
  return {
      {"tcp-echo-64", [] { return echo_over<tcp_sockets>({.size = 64}); }},
      {"tcp-echo-100k", [] { return echo_over<tcp_sockets>({.size = 100 * kib}); }},
      {"tcp-echo-64-in-16-writes", [] { return echo_over<tcp_sockets>({.size = 64, .writes = 16}); }},
      {"tcp-echo-64-through-a-layer", [] { return echo_over<tcp_sockets>({.size = 64, .layer = true}); }},
      {"tcp-echo-100k-through-a-layer", [] { return echo_over<tcp_sockets>({.size = 100 * kib, .layer = true}); }},
      {"tcp-echo-to-slow-reader", echo_to_slow_reader<tcp_sockets>},
      {"tcp-accept-and-close", accept_and_close<tcp_sockets>},
      {"unix-echo-64", [] { return echo_over<unix_sockets>({.size = 64}); }},
      {"unix-echo-100k", [] { return echo_over<unix_sockets>({.size = 100 * kib}); }},
      {"unix-echo-64-through-a-layer", [] { return echo_over<unix_sockets>({.size = 64, .layer = true}); }},
      {"unix-echo-100k-through-a-layer", [] { return echo_over<unix_sockets>({.size = 100 * kib, .layer = true}); }},
      {"unix-echo-to-slow-reader", echo_to_slow_reader<unix_sockets>},
      {"unix-accept-and-close", accept_and_close<unix_sockets>},
      {"memory-echo-64", [] { return echo_over_memory({.size = 64}); }},
      {"memory-echo-100k", [] { return echo_over_memory({.size = 100 * kib}); }},
      {"memory-echo-64-through-a-layer", [] { return echo_over_memory({.size = 64, .layer = true}); }},
      {"memory-echo-100k-through-a-layer", [] { return echo_over_memory({.size = 100 * kib, .layer = true}); }},
      {"memory-echo-100k-to-slow-reader", [] { return echo_over_memory({.size = 100 * kib}, {.capacity = 4 * kib, .max_receive = 1000}); }},
      {"call-soon", [] { return chain_of_events([](loop& owner, const auto& again) { owner.call_soon([&again] { again(); }); }); }},
      {"post", [] { return chain_of_events([](loop& owner, const auto& again) { owner.post([&again] { again(); }); }); }},
      {"timer-that-expires", expiring_timer},
      {"timers-that-are-moved", restarted_timers},
  };
}
