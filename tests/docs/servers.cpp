// The code of docs/servers.md.
#include <sluice/hand_over.hpp>
#include <sluice/info.hpp>
#include <sluice/loop.hpp>
#include <sluice/schemes.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/tcp.hpp>

#include <cstdio>
#include <memory>

using namespace std::chrono_literals;

class session final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { transport_->write(data); }

  sluice::shutdown_action shutting_down() override {
    transport_->write("this server is going down\n");
    return sluice::shutdown_action::close;
  }

 private:
  sluice::transport* transport_ = nullptr;
};

std::unique_ptr<sluice::server> by_options(sluice::loop& loop) {
  sluice::tcp::options options;
  options.backlog = 1024;
  options.max_connections = 10'000;
  options.max_connections_per_peer = 100;
  options.allow = {sluice::network::parse("10.0.0.0/8"), sluice::network::parse("::1")};
  options.stream.first_byte_timeout = 10s;
  options.stream.idle_timeout = 5min;
  options.stream.max_write_buffer = 8 * 1024 * 1024;
  auto server = std::make_unique<sluice::tcp::server>(
      loop, [] { return std::make_unique<session>(); }, options);
  server->listen(7000);                 // every interface, IPv4 and IPv6
  server->listen({"127.0.0.1", 7001});  // and this
  return server;
}

std::unique_ptr<sluice::server> by_string(sluice::loop& loop, const char* endpoint) {
  return sluice::listen(loop, endpoint, [] { return std::make_unique<session>(); });
}

void stop(sluice::loop& loop) {
  sluice::shutdown(loop, 10s, [](const sluice::shutdown_report& report) {
    std::printf("%zu were open, %zu were cut off\n", report.asked, report.aborted.size());
  });
}

void stop_one(sluice::server& server) {
  server.close();
  server.close_clients();
  server.wait_closed(10s, [](std::size_t aborted) { std::printf("closed, %zu were cut off\n", aborted); });
}

void serve(const char* endpoint, const char* meeting_place) {
  sluice::loop loop;
  const auto place = sluice::address::unix_path(meeting_place);
  sluice::hand_over::succession before = sluice::hand_over::take(loop, place);
  sluice::hand_over::offer next(loop, place, [&] { sluice::shutdown(loop, 30s); });
  const auto server = sluice::listen(loop, endpoint, [] { return std::make_unique<session>(); });
  next.add(*server);
  before.ready();
  loop.run();
}

void report_errors(sluice::loop& loop) {
  loop.on_error([](const sluice::error_event& event) { std::fprintf(stderr, "%s\n", describe(event).c_str()); });
}

void inspect(sluice::loop& loop, const sluice::server& server) {
  std::printf("%llu connections\n", static_cast<unsigned long long>(server.counters().connections));
  loop.for_each_transport([](sluice::transport& each) {
    const auto peer = each.info<sluice::peer_address>();
    std::printf("%llu %s: %zu bytes wait\n", static_cast<unsigned long long>(each.id()), peer ? peer->value.to_string().c_str() : "",
                each.get_write_buffer_size());
  });
}
