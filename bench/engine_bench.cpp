// What the engine itself costs, without a kernel below it: messages through an in-memory link, timers, and functions for later. Prints the
// median and the range of some rounds. Figures of a machine that does other work meanwhile are worth little; compare ratios of one run.

#include <sluice/layer.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/timer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using stopwatch = std::chrono::steady_clock;

constexpr int rounds = 9;
constexpr int messages = 200'000;

class echo final : public sluice::protocol {
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { transport_->write(data); }
  sluice::transport* transport_ = nullptr;
};

// Sends the next message when the last one is back.
class pinger final : public sluice::protocol {
 public:
  explicit pinger(std::size_t size) : message_(size) {}

 private:
  void connection_made(sluice::transport& transport) override {
    transport_ = &transport;
    transport.write(message_);
  }
  void data_received(sluice::const_bytes data) override {
    received_ += data.size();
    if (received_ < message_.size()) return;
    received_ = 0;
    if (++count_ == messages)
      transport_->close();
    else
      transport_->write(message_);
  }

  std::vector<std::byte> message_;
  std::size_t received_ = 0;
  int count_ = 0;
  sluice::transport* transport_ = nullptr;
};

void ping_pong(std::size_t size, int layers) {
  sluice::loop loop;
  sluice::protocol_ptr server = std::make_unique<echo>();
  for (int i = 0; i < layers; ++i) server = std::make_unique<sluice::layer>(loop, std::move(server));
  sluice::memory::pair(loop, std::make_unique<pinger>(size), std::move(server), {.capacity = 256 * 1024});
  loop.run();
}

void deferred_calls() {
  sluice::loop loop;
  int left = messages;
  std::function<void()> next = [&] {
    if (--left > 0) loop.call_soon([&] { next(); });
  };
  next();
  loop.run();
}

void timers() {
  sluice::loop loop;
  int left = messages;
  std::array<std::unique_ptr<sluice::timer>, 64> many;
  for (auto& each : many) {
    each = std::make_unique<sluice::timer>(loop, [&, at = &each] {
      if (--left > 0) (*at)->start(sluice::duration::zero());
    });
    each->start(sluice::duration::zero());
  }
  loop.run();
}

void measure(const std::string& name, const std::function<void()>& work) {
  std::vector<double> nanoseconds;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = stopwatch::now();
    work();
    nanoseconds.push_back(std::chrono::duration<double, std::nano>(stopwatch::now() - begin).count() / messages);
  }
  std::sort(nanoseconds.begin(), nanoseconds.end());
  std::printf("%-44s %8.0f ns  (%.0f-%.0f)\n", name.c_str(), nanoseconds[rounds / 2], nanoseconds.front(), nanoseconds.back());
}

}  // namespace

int main() {
  std::printf("per message there and back, per call, per expiry: median of %d rounds of %d\n", rounds, messages);
  measure("echo of 64 B through memory::pair", [] { ping_pong(64, 0); });
  measure("echo of 64 B through memory::pair, one layer", [] { ping_pong(64, 1); });
  measure("echo of 16 KiB through memory::pair", [] { ping_pong(16 * 1024, 0); });
  measure("call_soon", deferred_calls);
  measure("timer, 64 running", timers);
}
