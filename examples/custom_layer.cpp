// A layer of your own: it stands between a transport and a protocol and changes what passes. This one scrambles every byte. Both ends
// run in one process over an in-memory link, so that the program can show the message and what crossed the wire; over TCP not a line of
// the layer would differ: tcp::server server(loop, sluice::wrap<scrambler>(loop, factory, key)).

#include <sluice/layer.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>

namespace {

using sluice::as_text;
using sluice::const_bytes;

class scrambler final : public sluice::layer {
 public:
  scrambler(sluice::scheduler& owner, sluice::protocol_ptr upper, std::byte key) : layer(owner, std::move(upper)), key_(key) {}

 private:
  // From the wire to the protocol. Received bytes are not ours to change, so they are scrambled in a block of our own.
  void data_received(const_bytes data) override {
    std::printf("on the wire: %s\n", std::string(as_text(data)).c_str());
    while (!data.empty()) {
      const const_bytes part = data.first(std::min(data.size(), block_.size()));
      scramble(part);
      received(const_bytes(block_).first(part.size()));
      data = data.subspan(part.size());
    }
  }

  // From the protocol to the wire: as much as the transport below takes.
  sluice::send_result send(std::span<const const_bytes> parts) override {
    std::size_t sent = 0;
    for (const_bytes part : parts) {
      while (!part.empty()) {
        if (!lower_takes_output()) return sent;
        const std::size_t n = std::min(part.size(), block_.size());
        scramble(part.first(n));
        if (lower().write(const_bytes(block_).first(n)) == sluice::write_status::dropped) return lower().closing_reason();
        sent += n;
        part = part.subspan(n);
      }
    }
    return sent;
  }

  void scramble(const_bytes data) {
    for (std::size_t i = 0; i < data.size(); ++i) block_[i] = data[i] ^ key_;
  }

  std::byte key_;
  std::array<std::byte, 4096> block_{};
};

class greeter final : public sluice::protocol {
  void connection_made(sluice::transport& transport) override {
    transport.write("hello through the layer");
    transport.write_eof();
  }
  void data_received(const_bytes) override {}
};

class printer final : public sluice::protocol {
  void data_received(const_bytes data) override { std::printf("received:    %s\n", std::string(as_text(data)).c_str()); }
};

}  // namespace

int main() {
  sluice::loop loop;
  constexpr auto key = std::byte{0x01};
  sluice::memory::pair(loop, std::make_unique<scrambler>(loop, std::make_unique<greeter>(), key),
                       std::make_unique<scrambler>(loop, std::make_unique<printer>(), key));
  loop.run();
}
