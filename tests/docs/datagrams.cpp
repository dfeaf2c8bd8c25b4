// The code of docs/datagrams.md.
#include <sluice/datagram_transport.hpp>
#include <sluice/local/datagrams.hpp>
#include <sluice/loop.hpp>
#include <sluice/schemes.hpp>
#include <sluice/udp.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

class echo final : public sluice::datagram_protocol {
 public:
  void connection_made(sluice::datagram_transport& transport) override { transport_ = &transport; }

  void datagram_received(sluice::const_bytes data, const sluice::address& from) override { transport_->send_to(data, from); }

  void error_received(std::error_code error) override { std::printf("one was lost: %s\n", error.message().c_str()); }

 private:
  sluice::datagram_transport* transport_ = nullptr;
};

int serve() {
  sluice::loop loop;
  sluice::udp::open(loop, {"127.0.0.1", 7777}, std::make_unique<echo>());
  loop.run();
  return 0;
}

void ask(sluice::loop& loop) {
  auto& client = sluice::udp::connect(loop, {"127.0.0.1", 7777}, std::make_unique<echo>());
  client.send("ping");
}

void bounded(sluice::loop& loop) {
  sluice::udp::options options;
  options.receive_buffer = 4 * 1024 * 1024;
  options.datagrams.max_write_buffer = 1024 * 1024;  // then the newest is dropped, and counted
  auto& socket = sluice::udp::open(loop, {"0.0.0.0", 7777}, std::make_unique<echo>(), options);
  std::printf("%llu dropped\n", static_cast<unsigned long long>(socket.counters().dropped));
}

std::error_code listen_to_a_group(sluice::datagram_transport& socket) {
  const sluice::address group("239.255.0.1", 0);
  if (const auto error = sluice::udp::join(socket, group, "eth0")) return error;
  return sluice::udp::join(socket, {"232.1.1.1", 0}, sluice::address("192.0.2.7", 0), "eth0");  // from this source alone
}

void by_string(sluice::loop& loop) {
  sluice::open_datagrams(loop, "udp://0.0.0.0:7777?join=239.255.0.1&interface=eth0&receive_buffer=4MiB", std::make_unique<echo>());
  sluice::open_datagrams(loop, "unix-dgram:/run/echo.sock?mode=0660", std::make_unique<echo>());
}
