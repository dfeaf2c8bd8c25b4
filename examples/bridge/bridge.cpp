// Joins any two endpoints: bridge FIRST SECOND [--connect] [--many] [--reconnect]
//
//     bridge tcp://127.0.0.1:80 unix:/run/web.sock                                   each client gets a connection of its own
//     bridge 'serial:///dev/ttyUSB0?baud=115200' tcp://127.0.0.1:2000 --many         a small serial gateway: all share one
//
// With ?send_proxy_protocol=v2 behind the first endpoint the server there is told of each client's address.
//
// The second endpoint listens if it can, unless --connect says otherwise. With --many its clients share one connection to the first:
// each gets what comes from there, and what they send goes there in the order in which it arrived, cut where the system cut it. With --reconnect
// clients stay while the first comes and goes, and wait meanwhile; without --many there is one at a time. SIGUSR1 prints counters, SIGHUP reads
// certificates again. A first that cannot be told of a client's end, as over TLS 1.2 or a serial line, has --silence seconds for an answer, and as
// long again after each part of it. With --capture FILE, what passes over the first is recorded, for Wireshark, or for people if FILE ends in .txt.

#include <sluice/serial/port_watch.hpp>
#include <sluice/shutdown.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "../program_schemes.hpp"
#include "pairs.hpp"
#include "recording.hpp"
#include "shared.hpp"
#include "slow_line.hpp"

namespace {

using bridge::settings;

const std::map<std::string, sluice::overflow> policies{{"disconnect", sluice::overflow::disconnect},
                                                       {"drop-oldest", sluice::overflow::drop_oldest},
                                                       {"drop-newest", sluice::overflow::drop_newest},
                                                       {"backpressure", sluice::overflow::backpressure}};

void parse(int argc, char** argv, CLI::App& app, settings& chosen) {
  app.add_option("FIRST", chosen.first, "what to connect to")->required();
  app.add_option("SECOND", chosen.second, "where clients come to")->required();
  app.add_flag("--connect", chosen.connect, "connect to SECOND although it could be listened on");
  app.add_flag("--many", chosen.many, "all clients share one connection to FIRST");
  app.add_flag("--reconnect", chosen.reconnect, "connect to FIRST again when it is lost; clients stay");
  app.add_option("--policy", chosen.policy, "what happens to a client of --many or --reconnect that does not take what comes from FIRST")
      ->transform(CLI::CheckedTransformer(policies))
      ->default_str("disconnect");
  app.add_option("--queue", chosen.queue, "bytes that may wait for one client")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30U))
      ->capture_default_str();
  app.add_option("--drain", chosen.drain, "seconds to deliver what is in flight after SIGTERM or SIGINT")->capture_default_str();
  app.add_option("--silence", chosen.silence,
                 "seconds that FIRST may be silent after the end of its client, where it cannot be told of that")
      ->default_str("5, or 1 for a serial line");
  app.add_option("--capture", chosen.capture, "record what passes over FIRST in this file: pcapng, or text if its name ends in .txt");
  app.add_option("--capture-size", chosen.capture_size, "bytes at which a new file is begun")->transform(CLI::AsSizeValue(false));
  app.add_option("--capture-keep", chosen.capture_keep, "how many older files are kept")
      ->check(CLI::Range(0U, 10000U))
      ->capture_default_str();
  app.parse(argc, argv);
}

// Clients beyond the one wait in the system's queue.
std::string for_one_client(std::string text) { return text + (text.find('?') == text.npos ? '?' : '&') + "max_connections=1"; }

class program {
 public:
  explicit program(const settings& chosen) : chosen_(chosen), listens_(!chosen.connect && schemes_.table.can_listen(chosen.second)) {}

  int run() {
    for (const int signal : {SIGTERM, SIGINT}) loop_.on_signal(signal, [this] { stop(); });
    loop_.on_signal(SIGHUP, [this] { schemes_.reload(); });
    return chosen_.many || chosen_.reconnect ? run_shared() : run_pairs();
  }

 private:
  int run_pairs() {
    bridge::pairs pairs(loop_, schemes_.table, chosen_, recording_, client_);
    loop_.on_signal(SIGUSR1, [&] { print(pairs); });
    if (listens_)
      listen(chosen_.second, [&] { return pairs.accept(); });
    else
      pairs.connect_both(chosen_.second);
    loop_.run();
    print(pairs);
    return listens_ || pairs.succeeded() ? 0 : 1;
  }

  int run_shared() {
    bridge::shared shared(loop_, schemes_.table, chosen_, recording_, [this] { stop(); });
    loop_.on_signal(SIGUSR1, [&] { print(shared); });
    std::unique_ptr<sluice::reconnector> second;
    if (listens_) {
      listen(chosen_.many ? chosen_.second : for_one_client(chosen_.second), [&] { return shared.accept(); });
      shared.watch(*server_);
    } else {
      second = std::make_unique<sluice::reconnector>(loop_, chosen_.second, schemes_.table, [&] { return shared.accept(); });
      second->start();
    }
    if (chosen_.reconnect && sluice::endpoint(chosen_.first).scheme() == "serial") {
      ports_.emplace(loop_, [&](const sluice::serial::port_event& event) {
        if (event.what != sluice::serial::port_change::removed) shared.look_again();
      });
    }
    shared.start();
    loop_.run();
    print(shared);
    return shared.succeeded() ? 0 : 1;
  }

  template <typename Joined>
  void print(Joined& what) const {
    what.print();
    recording_.print();
  }

  void listen(const std::string& text, sluice::protocol_factory factory) {
    server_ = schemes_.table.listen(loop_, text, std::move(factory));
    bridge::slow_line(sluice::endpoint(chosen_.first)).bound_feeders_of(*server_);
    const sluice::endpoint at(chosen_.second);
    std::printf("listening on %s\n", (at.port() ? at.with_port(server_->sockets().front().port()) : at).to_string().c_str());
    std::fflush(stdout);
  }

  // No new clients, what is in flight is delivered, and after the deadline what is left is cut off. A second signal ends the program at once.
  void stop() {
    ports_.reset();
    sluice::shutdown(loop_, std::chrono::seconds(chosen_.drain));
    for (const int signal : {SIGTERM, SIGINT}) loop_.remove_signal(signal);
  }

  std::optional<sluice::proxy_protocol::header> header_of_client(sluice::proxy_protocol::version format) const {
    if (client_ == nullptr) return std::nullopt;
    return sluice::proxy_protocol::header_of_client(*client_, format);
  }

  const settings& chosen_;
  const sluice::transport* client_ = nullptr;  // for whom a connection is being begun
  sluice::loop loop_;
  program_schemes schemes_{"bridge", loop_, [this](auto format) { return header_of_client(format); }};
  bool listens_;
  bridge::recording recording_{loop_, chosen_};
  std::unique_ptr<sluice::server> server_;
  std::optional<sluice::serial::port_watch> ports_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Joins any two endpoints.");
  settings chosen;
  try {
    parse(argc, argv, app, chosen);
    return program(chosen).run();
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "bridge: %s\n", error.what());
    return 2;
  }
}
