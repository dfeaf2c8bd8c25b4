// Sends every datagram back to where it came from: udp_echo [ADDRESS], by default 127.0.0.1:7777.

#include <sluice/udp.hpp>

#include <cstdio>
#include <memory>

namespace {

class echo final : public sluice::datagram_protocol {
 public:
  void connection_made(sluice::datagram_transport& transport) override { transport_ = &transport; }

  void datagram_received(sluice::const_bytes data, const sluice::address& from) override { transport_->send_to(data, from); }

  // A datagram was lost and left a trace; the others are none the worse for it.
  void error_received(std::error_code error) override { std::fprintf(stderr, "udp_echo: %s\n", error.message().c_str()); }

 private:
  sluice::datagram_transport* transport_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    sluice::loop loop;
    auto& socket = sluice::udp::open(loop, sluice::address::parse(argc > 1 ? argv[1] : "127.0.0.1:7777"), std::make_unique<echo>());
    std::printf("listening on %s\n", socket.info<sluice::local_address>()->value.to_string().c_str());
    std::fflush(stdout);
    loop.run();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "udp_echo: %s\n", error.what());
    return 2;
  }
}
