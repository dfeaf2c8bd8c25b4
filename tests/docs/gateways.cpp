// The code of docs/gateways.md.
#include <sluice/couple.hpp>
#include <sluice/fan_out.hpp>
#include <sluice/loop.hpp>
#include <sluice/reconnect.hpp>
#include <sluice/schemes.hpp>
#include <sluice/tcp.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

namespace {

unsigned long long bytes(const sluice::coupled_direction& way) { return way.bytes; }

}  // namespace

sluice::protocol_ptr accept(sluice::loop& loop, const sluice::address& target) {
  sluice::coupled_protocols halves = sluice::make_coupling(loop);
  auto second = std::make_shared<sluice::protocol_ptr>(std::move(halves.second));
  sluice::tcp::connect(loop, target, [second] { return std::move(*second); }).detach();
  return std::move(halves.first);
}

void join(sluice::transport& client, sluice::transport& upstream, sluice::const_bytes behind_the_request) {
  sluice::couple(
      client, upstream, [](const sluice::coupling_report& how) { std::printf("%llu bytes\n", bytes(how.forth)); }, behind_the_request);
}

class feed {
 public:
  feed(sluice::loop& loop, const sluice::endpoint& from)
      : hub_(loop), clients_(loop, [this] { return std::make_unique<sluice::fan_out::sink>(hub_, limits); }) {
    clients_.listen({"127.0.0.1", 0});
    sluice::connect(loop, from, [this] { return hub_.make_source(); }).detach();
  }

 private:
  static constexpr sluice::sink_options limits{.policy = sluice::overflow::drop_oldest, .most_bytes = 64 * 1024};

  sluice::fan_out hub_;
  sluice::tcp::server clients_;
};

void stay_connected(sluice::reconnector& client) { client.start(); }

sluice::reconnect_options gently() {
  sluice::reconnect_options how;
  how.pacing.longest = std::chrono::seconds(30);
  how.on_event = [](const sluice::reconnect_event& event) {
    if (event.error) std::fprintf(stderr, "%s\n", event.detail.c_str());
  };
  return how;
}
