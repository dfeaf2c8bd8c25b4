#include "scenarios.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <doctest/doctest.h>
#include <sluice/capture/queue.hpp>
#include <sluice/capture/tap.hpp>
#include <sluice/couple.hpp>
#include <sluice/fan_out.hpp>
#include <sluice/info.hpp>
#include <sluice/layer.hpp>
#include <sluice/local.hpp>
#include <sluice/local/datagrams.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/memory/datagrams.hpp>
#include <sluice/pipe.hpp>
#include <sluice/process.hpp>
#include <sluice/serial.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/timer.hpp>
#include <sluice/udp.hpp>

#include "serial/terminal_kit.hpp"
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

// Gives the pools of `owner` more chunks and tasks than are ever in use at once later: how many that are depends on the system's pace.
void fill_pools(scheduler& owner) {
  for (int i = 0; i < 100; ++i) owner.call_soon([] {});
  struct silent final : protocol {
    void data_received(const_bytes) override {}
  };
  const auto ends = memory::pair(owner, std::make_unique<silent>(), std::make_unique<silent>());
  ends.first.write(std::string(3'000'000, 'x'));
  ends.first.abort();
  ends.second.abort();
}

protocol_factory echo_factory(scheduler& owner, const echo_plan& plan, meter& meter) {
  fill_pools(owner);
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

// Sends each message when the last one has come back.
std::function<void(const address&)> client_of(const echo_plan& plan) {
  return [&plan](const address& at) {
    raw_socket client = raw_socket::connected_to(at);
    const std::string message(plan.size, 'x');
    for (std::size_t i = 0; i < all; ++i) {
      client.send(message);
      client.receive(plan.size);
    }
  };
}

template <typename Sockets>
cost echo_over(const echo_plan& plan) {
  loop owner;
  meter meter;
  return serve<Sockets>(echo_factory(owner, plan, meter), owner, meter, client_of(plan));
}

// The same through a tap, whose queue is emptied now and then.
template <typename Sockets>
cost echo_through_tap(const echo_plan& plan) {
  loop owner;
  meter meter;
  capture::queue records(owner);
  records.on_records([&] {
    if (!records.is_urgent()) return;
    if (auto taken = records.take()) records.give_back(std::move(*taken));
  });
  return serve<Sockets>(wrap<capture::tap>(owner, echo_factory(owner, plan, meter), records), owner, meter, client_of(plan));
}

// The same behind a coupling: the echo is at the other end of a link in memory.
template <typename Sockets>
cost echo_behind_coupling(const echo_plan& plan) {
  loop owner;
  meter meter;
  const protocol_factory echo = echo_factory(owner, plan, meter);
  const auto accept = [&]() -> protocol_ptr {
    coupled_protocols halves = make_coupling(owner);
    memory::pair(owner, std::move(halves.second), echo());
    return std::move(halves.first);
  };
  return serve<Sockets>(accept, owner, meter, client_of(plan));
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
  fill_pools(owner);
  return serve<Sockets>([&] { return std::make_unique<flooded_echo>(seen, meter); }, owner, meter,
                        [&](const address& at) { flood(at, seen); });
}

// Sends the next message when the last one has come back.
class pinger final : public protocol {
 public:
  explicit pinger(std::size_t size, meter* counts = nullptr) : message_(size, 'x'), meter_(counts) {}
  void connection_made(transport& made) override {
    transport_ = &made;
    made.write(message_);
  }
  void data_received(const_bytes data) override {
    const std::size_t before = seen_;
    seen_ += data.size();
    if (meter_ != nullptr && before < warm_up * message_.size() && seen_ >= warm_up * message_.size()) meter_->begin();
    if (meter_ != nullptr && seen_ == all * message_.size()) meter_->end();
    if (seen_ == all * message_.size())
      transport_->close();
    else if (seen_ % message_.size() == 0)
      transport_->write(message_);
  }
  // Reads on: if both ends waited for the other to read, both would wait for ever.
  backpressure pause_writing() override { return backpressure::handled; }

 private:
  std::string message_;
  meter* meter_;
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

// A line of the system; its other end is a terminal's in another thread, whose calls are not counted.
cost echo_over_serial(const echo_plan& plan, std::chrono::nanoseconds silence = 0ns) {
  terminal_kit::far_end far;
  loop owner;
  meter meter;
  serial::options settings;
  settings.silence = silence;
  const connecting attempt = serial::open(owner, far.path(), echo_factory(owner, plan, meter), {}, settings);
  CHECK(run_until(owner, [&] { return !attempt.in_progress() && owner.open_transports() != 0; }));
  std::thread other([&] {
    const std::string message(plan.size, 'x');
    for (std::size_t i = 0; i < all; ++i) {
      far.send(message);
      far.receive(plan.size);
    }
    far.unplug();
  });
  CHECK(run_until(owner, [&] { return owner.open_transports() == 0; }));
  other.join();
  CHECK(meter.ended());
  return meter.result();
}

std::size_t transferred(ssize_t result) {
  REQUIRE(result > 0);
  return static_cast<std::size_t>(result);
}

// Two pipes; their other ends are in another thread, whose calls are not counted.
cost echo_over_pipe(const echo_plan& plan) {
  loop owner;
  meter meter;
  int there[2], back[2];
  REQUIRE((::pipe2(there, O_CLOEXEC) == 0 && ::pipe2(back, O_CLOEXEC) == 0));
  REQUIRE(pipe::open(owner, descriptor(there[0]), descriptor(back[1]), echo_factory(owner, plan, meter)()));
  std::thread other([&, to = descriptor(there[1]), from = descriptor(back[0])] {
    std::string message(plan.size, 'x');
    for (std::size_t i = 0; i < all; ++i) {
      for (std::size_t sent = 0; sent < plan.size;) sent += transferred(::write(to.get(), message.data() + sent, plan.size - sent));
      for (std::size_t got = 0; got < plan.size;) got += transferred(::read(from.get(), message.data() + got, plan.size - got));
    }
  });
  CHECK(run_until(owner, [&] { return meter.ended(); }));
  other.join();
  owner.for_each_transport([](transport& each) { each.abort(); });
  CHECK(run_until(owner, [&] { return owner.open_transports() == 0; }));
  return meter.result();
}

// The echo is a child.
cost echo_of_child(std::size_t size) {
  loop owner;
  meter meter;
  fill_pools(owner);
  REQUIRE(process::open(owner, {.program = "cat"}, std::make_unique<pinger>(size, &meter)));
  CHECK(run_until(owner, [&] { return owner.open_transports() == 0; }));
  CHECK(meter.ended());
  return meter.result();
}

cost coupling_over_memory(const echo_plan& plan) {
  manual_scheduler owner;
  meter meter;
  coupled_protocols halves = make_coupling(owner);
  memory::pair(owner, std::make_unique<pinger>(plan.size), std::move(halves.first));
  memory::pair(owner, std::move(halves.second), echo_factory(owner, plan, meter)());
  owner.run_until([&] { return meter.ended() && owner.open_transports() == 0; }, 1h);
  CHECK(meter.ended());
  return meter.result();
}

// To one sink that keeps up, and to one of each policy that never does.
cost fan_out_to_stuck_sinks() {
  struct silent final : protocol {
    void data_received(const_bytes) override {}
  };
  manual_scheduler owner;
  meter meter;
  fan_out hub(owner);
  memory::pair(owner, std::make_unique<fan_out::sink>(hub), std::make_unique<silent>());
  for (const overflow policy : {overflow::drop_oldest, overflow::drop_newest}) {
    auto sink = std::make_unique<fan_out::sink>(hub, sink_options{policy, 4000});
    memory::pair(owner, std::move(sink), std::make_unique<silent>(), {.capacity = 1}).link.stall(memory::side::first);
  }
  const std::string message(64, 'x');
  for (std::size_t sent = 0; !meter.ended(); ++sent) {
    hub.write(as_bytes(message));
    owner.run_until_idle();
    if (sent >= measured) meter.tick();  // the queues have moved through all the chunks that they ever need
  }
  CHECK(hub.counters().dropped_oldest.messages > measured);
  owner.for_each_transport([](transport& each) { each.abort(); });
  owner.run_until_idle();
  return meter.result();
}

// Echoes datagrams, and measures from the one that ends the warm-up to the last one.
class measured_datagrams final : public datagram_protocol {
 public:
  explicit measured_datagrams(meter& meter) : meter_(meter) {}

  void connection_made(datagram_transport& made) override { transport_ = &made; }
  void datagram_received(const_bytes data, const address& from) override {
    meter_.tick();
    transport_->send_to(data, from);
  }

 private:
  meter& meter_;
  datagram_transport* transport_ = nullptr;
};

// `open` makes the transport of what it is given; the peer, at `own`, is a plain socket in another thread.
template <typename Open>
cost echo_datagrams(std::size_t size, const address& own, Open open) {
  loop owner;
  meter meter;
  datagram_transport& transport = open(owner, std::make_unique<measured_datagrams>(meter));
  const address at = transport.info<local_address>()->value;
  std::thread other([&] {
    const raw_datagrams peer(own);
    const std::string message(size, 'x');
    for (std::size_t i = 0; i < all; ++i) {
      peer.send_to(message, at);
      CHECK(peer.receive().data == message);
    }
  });
  CHECK(run_until(owner, [&] { return meter.ended(); }));
  other.join();
  transport.close();
  CHECK(run_until(owner, [&] { return owner.open_transports() == 0; }));
  return meter.result();
}

cost echo_over_udp(std::size_t size) {
  return echo_datagrams(size, address::loopback_v4(0), [](loop& owner, datagram_protocol_ptr upper) -> datagram_transport& {
    return udp::open(owner, address::loopback_v4(0), std::move(upper));
  });
}

cost echo_over_unix_datagrams(std::size_t size) {
  const temporary_folder folder;
  return echo_datagrams(size, address::unix_path(folder / "peer"), [&](loop& owner, datagram_protocol_ptr upper) -> datagram_transport& {
    return local::open_datagrams(owner, address::unix_path(folder / "x"), std::move(upper));
  });
}

cost echo_over_memory_datagrams(std::size_t size) {
  manual_scheduler owner;
  meter meter;
  const auto ends = memory::datagram_pair(owner, std::make_unique<measured_datagrams>(meter), std::make_unique<measured_datagrams>(meter));
  ends.first.send_to(std::string(size, 'x'), ends.second.info<local_address>()->value);
  while (!meter.ended()) owner.run_one_batch();
  ends.first.abort();
  ends.second.abort();
  owner.run_until_idle();
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
      {"tcp-echo-64-through-a-tap", [] { return echo_through_tap<tcp_sockets>({.size = 64}); }},
      {"tcp-echo-100k-through-a-tap", [] { return echo_through_tap<tcp_sockets>({.size = 100 * kib}); }},
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
      {"serial-echo-64", [] { return echo_over_serial({.size = 64}); }},
      {"serial-echo-64-through-a-layer", [] { return echo_over_serial({.size = 64, .layer = true}); }},
      {"serial-echo-64-in-packets", [] { return echo_over_serial({.size = 64}, 200us); }},
      {"pipe-echo-64", [] { return echo_over_pipe({.size = 64}); }},
      {"pipe-echo-16k", [] { return echo_over_pipe({.size = 16 * kib}); }},
      {"pipe-echo-64-through-a-layer", [] { return echo_over_pipe({.size = 64, .layer = true}); }},
      {"process-echo-64", [] { return echo_of_child(64); }},
      {"process-echo-100k", [] { return echo_of_child(100 * kib); }},
      {"tcp-coupled-64", [] { return echo_behind_coupling<tcp_sockets>({.size = 64}); }},
      {"tcp-coupled-100k", [] { return echo_behind_coupling<tcp_sockets>({.size = 100 * kib}); }},
      {"memory-coupled-64", [] { return coupling_over_memory({.size = 64}); }},
      {"memory-coupled-100k", [] { return coupling_over_memory({.size = 100 * kib}); }},
      {"fan-out-to-stuck-sinks", fan_out_to_stuck_sinks},
      {"udp-echo-64", [] { return echo_over_udp(64); }},
      {"udp-echo-1400", [] { return echo_over_udp(1400); }},
      {"udp-echo-20000", [] { return echo_over_udp(20'000); }},
      {"unix-dgram-echo-64", [] { return echo_over_unix_datagrams(64); }},
      {"unix-dgram-echo-1400", [] { return echo_over_unix_datagrams(1400); }},
      {"memory-datagrams-64", [] { return echo_over_memory_datagrams(64); }},
      {"memory-datagrams-1400", [] { return echo_over_memory_datagrams(1400); }},
      {"call-soon", [] { return chain_of_events([](loop& owner, const auto& again) { owner.call_soon([&again] { again(); }); }); }},
      {"post", [] { return chain_of_events([](loop& owner, const auto& again) { owner.post([&again] { again(); }); }); }},
      {"timer-that-expires", expiring_timer},
      {"timers-that-are-moved", restarted_timers},
  };
}
