// A transport of your own: two protocols in two threads, each with a loop of its own, talk through shared memory. The whole transport is
// ring_channel.hpp; the protocols are as they would be over TCP.

#include "ring_channel.hpp"

#include <sluice/loop.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

namespace {

constexpr std::size_t total = 64 * 1024 * 1024;

class echo final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { transport_->write(data); }

 private:
  sluice::transport* transport_ = nullptr;
};

// Sends `total` bytes, never more than the transport asks for, and counts what comes back.
class counter final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override {
    transport_ = &transport;
    produce();
  }
  void data_received(sluice::const_bytes data) override {
    received_ += data.size();
    if (received_ == total) transport_->close();
  }
  sluice::backpressure pause_writing() override { return sluice::backpressure::handled; }
  void resume_writing() override { produce(); }
  void connection_lost(std::error_code reason) override {
    std::printf("%zu bytes went through shared memory and came back: %s\n", received_,
                reason ? reason.message().c_str() : "an orderly end");
  }

 private:
  void produce() {
    while (sent_ < total) {
      sent_ += block_.size();
      if (transport_->write(block_) != sluice::write_status::accepted) return;
    }
  }

  std::string block_ = std::string(32 * 1024, 'x');
  sluice::transport* transport_ = nullptr;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

}  // namespace

int main() {
  sluice::loop here;
  sluice::loop there;
  const auto post_to = [](sluice::loop& loop) { return [&loop](std::function<void()> function) { loop.post(std::move(function)); }; };
  const auto link = std::make_shared<rings::ring_link>(post_to(here), post_to(there));

  rings::ring_channel::open(here, link, rings::ring_link::side::first, std::make_unique<counter>());
  rings::ring_channel::open(there, link, rings::ring_link::side::second, std::make_unique<echo>());
  std::thread worker([&there] { there.run(); });  // from here on each loop, with its end of the link, belongs to one thread
  here.run();
  worker.join();
}
