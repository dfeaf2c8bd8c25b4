#include <unistd.h>

#include <atomic>
#include <string>
#include <utility>

#include <sluice/local/datagrams.hpp>
#include <sluice/testing/datagram_conformance.hpp>
#include <sluice/udp.hpp>

#include "loop_driver.hpp"

// Fixtures for datagrams on a real loop.

namespace sluice::testing {
namespace {

class socket_fixture : public datagram_fixture {
 public:
  sluice::loop& scheduler() override { return driver_.loop(); }
  bool run_until(const std::function<bool()>& done) override { return driver_.run_until(done); }

 private:
  loop_driver driver_;
};

class udp_fixture final : public socket_fixture {
 public:
  explicit udp_fixture(const address& any) : any_(any) {}

  void open(datagram_protocol_ptr near, datagram_protocol_ptr far, const plan& how) override {
    udp::options settings;
    settings.max_datagram = how.far_takes;
    const datagram_transport& peer = udp::open(scheduler(), any_, std::move(far), settings);
    settings.max_datagram = datagram_transport::largest_datagram;
    settings.datagrams = how.near;
    const address at = peer.info<local_address>()->value;
    how.connected ? udp::connect(scheduler(), at, std::move(near), settings) : udp::open(scheduler(), any_, std::move(near), settings);
  }
  address elsewhere() override { return any_.with_port(9); }

 private:
  address any_;
};

class local_fixture final : public socket_fixture {
 public:
  void open(datagram_protocol_ptr near, datagram_protocol_ptr far, const plan& how) override {
    local::datagram_socket_options settings;
    settings.max_datagram = how.far_takes;
    const address at = fresh_name();
    local::open_datagrams(scheduler(), at, std::move(far), settings);
    settings.max_datagram = datagram_transport::largest_datagram;
    settings.datagrams = how.near;
    settings.local = fresh_name();
    how.connected ? local::connect_datagrams(scheduler(), at, std::move(near), settings)
                  : local::open_datagrams(scheduler(), settings.local, std::move(near), settings);
  }
  address elsewhere() override { return fresh_name(); }

 private:
  static address fresh_name() {
    static std::atomic<unsigned> count{0};
    return address::unix_abstract("sluice-datagrams-" + std::to_string(getpid()) + '-' + std::to_string(++count));
  }
};

}  // namespace

datagram_transport_under_test over_udp(const address& any) {
  return {"udp " + any.host(), {.backpressure = false}, [any] { return std::make_unique<udp_fixture>(any); }};
}

datagram_transport_under_test over_local_datagrams() {
  return {"unix-dgram", {}, [] { return std::make_unique<local_fixture>(); }};
}

}  // namespace sluice::testing
