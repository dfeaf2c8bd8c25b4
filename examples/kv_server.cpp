// A server of the Redis protocol with its keys in memory: kv_server ENDPOINT… [--max-bulk BYTES] [--max-unsent BYTES] [--drain SECONDS]

#include <sluice/loop.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/timer.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kv_connection.hpp"
#include "program_schemes.hpp"

namespace {

using namespace std::chrono_literals;
constexpr auto tick = 100ms;

// The keys, the clients, and how they end: no new ones, what is on its way is answered, and after the deadline the rest is cut off.
class service : public kv_service {
 public:
  explicit service(sluice::loop& loop) : schemes("kv_server", loop), loop_(loop) { sweep_.start(tick); }

  unsigned drain = 5;
  program_schemes schemes;

  void listen(const sluice::endpoint& at) {
    servers_.push_back(schemes.table.listen(loop_, at, [this] { return std::make_unique<kv_connection>(*this); }));
    const sluice::endpoint bound = at.port() ? at.with_port(servers_.back()->sockets().front().port()) : at;
    std::printf("listening on %s\n", bound.to_string().c_str());
    std::fflush(stdout);
  }

  void stop() {
    sweep_.stop();
    sluice::shutdown(loop_, std::chrono::seconds(drain));
    end_quiet_clients();
  }

 private:
  void sweep() {
    store.set_time(kv_time(loop_));
    store.sweep(1000);
    sweep_.start(tick);
  }

  // A client that has sent nothing for one tick has nothing in flight.
  void end_quiet_clients() {
    sessions.for_each([this](auto& client) {
      if (kv_time(loop_) - client.active_at >= tick) client.end();
    });
    if (sessions.size() != 0) settle_.start(tick);
  }

  sluice::loop& loop_;
  sluice::timer sweep_{loop_, [this] { sweep(); }};
  sluice::timer settle_{loop_, [this] { end_quiet_clients(); }};
  std::vector<std::unique_ptr<sluice::server>> servers_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    sluice::loop loop;
    service store(loop);
    std::vector<std::string> endpoints;
    CLI::App app("A server of the Redis protocol with its keys in memory.");
    const CLI::Range sizes(std::int64_t{1}, std::int64_t{1} << 40);
    app.add_option("ENDPOINT", endpoints, "where to listen: tcp://127.0.0.1:7379, unix:/run/kv.sock, tls://…")->required();
    app.add_option("--max-bulk", store.max_bulk, "bytes of the largest key or value")->check(sizes)->capture_default_str();
    app.add_option("--max-unsent", store.max_unsent, "bytes of unread replies that end a client")->check(sizes)->capture_default_str();
    app.add_option("--drain", store.drain, "seconds to answer what is in flight after SIGTERM or SIGINT")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const auto stop = [&] {
      store.stop();
      for (const int signal : {SIGTERM, SIGINT}) loop.remove_signal(signal);  // a second one ends the program at once
    };
    for (const int signal : {SIGTERM, SIGINT}) loop.on_signal(signal, stop);
    loop.on_signal(SIGHUP, [&] { store.schemes.reload(); });
    for (const auto& endpoint : endpoints) store.listen(endpoint);
    loop.run();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "kv_server: %s\n", error.what());
    return 2;
  }
}
