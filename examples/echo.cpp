// One protocol, any endpoints at once: echo ENDPOINT… [--high BYTES] [--low BYTES] [--mode echo|sink|source] [--drain SECONDS]

#include <sluice/schemes.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <CLI/CLI.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct settings {
  std::vector<std::string> endpoints;
  sluice::write_buffer_limits marks;
  std::string mode = "echo";
  unsigned drain = 5;
};

// The servers, and how they end: no new clients, what is in flight is delivered, and after the deadline what is left is cut off.
class service {
 public:
  service(sluice::loop& loop, const settings& chosen) : loop_(loop), settings_(chosen), deadline_(loop, [this] { abort_all(); }) {}

  const settings& chosen() const { return settings_; }

  void listen(const sluice::endpoint& at);

  void stop() {
    for (const auto& each : servers_) each->close();
    loop_.for_each_transport([](sluice::transport& each) { each.shut_down(); });
    if (connections_ > 0) deadline_.start(std::chrono::seconds(settings_.drain));
  }

  void connected() { ++connections_; }
  void disconnected() {
    if (--connections_ == 0) deadline_.stop();
  }

 private:
  void abort_all() {
    loop_.for_each_transport([](sluice::transport& each) { each.abort(); });
  }

  sluice::loop& loop_;
  const settings& settings_;
  sluice::timer deadline_;
  std::vector<std::unique_ptr<sluice::server>> servers_;
  std::size_t connections_ = 0;
};

// Sends back what it gets. A client that does not read is held back by the watermarks, without a line here.
class echo : public sluice::protocol {
 public:
  explicit echo(service& owner) : service_(owner) {}

  void connection_made(sluice::transport& transport) override {
    service_.connected();
    transport_ = &transport;
    const sluice::write_buffer_limits& marks = service_.chosen().marks;
    if (marks.high || marks.low) transport.set_write_buffer_limits(marks);
  }

  void data_received(sluice::const_bytes data) override { transport_->write(data); }

  // Bytes may be on their way to us: the connection is closed once none has come for a moment and all answers are gone.
  sluice::shutdown_action shutting_down() override {
    settling_ = std::make_unique<settling>(transport_->scheduler(), [this] { close_if_quiet(); });
    settling_->check.start(100ms);
    return sluice::shutdown_action::handled;
  }

  void connection_lost(std::error_code) override { service_.disconnected(); }

 protected:
  sluice::transport& transport() const { return *transport_; }

 private:
  struct settling {
    template <typename Check>
    settling(sluice::scheduler& owner, Check on_check) : check(owner, on_check) {}
    sluice::timer check;
    std::uint64_t receives = 0;
  };

  void close_if_quiet() {
    const std::uint64_t receives = transport_->counters().receives;
    const bool quiet = std::exchange(settling_->receives, receives) == receives && transport_->get_write_buffer_size() == 0;
    if (quiet) return transport_->close();
    settling_->check.start(100ms);
  }

  service& service_;
  sluice::transport* transport_ = nullptr;
  std::unique_ptr<settling> settling_;  // only while shutting down
};

class sink final : public echo {
 public:
  using echo::echo;
  void data_received(sluice::const_bytes) override {}
  sluice::shutdown_action shutting_down() override { return sluice::shutdown_action::close; }
};

// Sends without end, as fast as the client reads: until the transport says that enough is queued, and a little per turn, so that the
// other connections get theirs.
class source final : public echo {
 public:
  using echo::echo;

  void connection_made(sluice::transport& transport) override {
    echo::connection_made(transport);
    send();
  }
  void data_received(sluice::const_bytes) override {}
  sluice::backpressure pause_writing() override { return sluice::backpressure::handled; }
  void resume_writing() override { send(); }
  sluice::shutdown_action shutting_down() override { return sluice::shutdown_action::close; }

 private:
  void send() {
    static constexpr std::array<std::byte, 64 * 1024> block{};
    for (int i = 0; i < 2; ++i)
      if (transport().write(block) != sluice::write_status::accepted) return;
    transport().scheduler().call_soon([this, alive = sluice::transport_ref(transport())] {
      if (alive) send();
    });
  }
};

sluice::protocol_ptr make(service& owner) {
  if (owner.chosen().mode == "sink") return std::make_unique<sink>(owner);
  if (owner.chosen().mode == "source") return std::make_unique<source>(owner);
  return std::make_unique<echo>(owner);
}

void service::listen(const sluice::endpoint& at) {
  servers_.push_back(sluice::listen(loop_, at, [this] { return make(*this); }));
  std::printf("listening on %s\n", at.with_port(servers_.back()->sockets().front().port()).to_string().c_str());
  std::fflush(stdout);
}

void parse(int argc, char** argv, CLI::App& app, settings& chosen) {
  app.add_option("ENDPOINT", chosen.endpoints, "where to listen: tcp://127.0.0.1:7000, unix:/run/echo.sock, unix-abstract:echo")
      ->required();
  app.add_option("--high", chosen.marks.high, "unsent bytes of one connection above which its input is held");
  app.add_option("--low", chosen.marks.low, "unsent bytes at which it goes on");
  app.add_option("--mode", chosen.mode, "what to do with a connection")
      ->check(CLI::IsMember({"echo", "sink", "source"}))
      ->capture_default_str();
  app.add_option("--drain", chosen.drain, "seconds to deliver what is in flight after SIGTERM or SIGINT")->capture_default_str();
  app.parse(argc, argv);
  if (!sluice::resolve(chosen.marks)) throw CLI::ValidationError("--low", "must not be above --high");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Echoes what clients send.");
  settings chosen;
  try {
    parse(argc, argv, app, chosen);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }

  sluice::loop loop;
  service echoes(loop, chosen);
  const auto stop = [&] {
    echoes.stop();
    for (const int signal : {SIGTERM, SIGINT}) loop.remove_signal(signal);  // a second one ends the program at once
  };
  for (const int signal : {SIGTERM, SIGINT}) loop.on_signal(signal, stop);
  try {
    for (const std::string& text : chosen.endpoints) echoes.listen(text);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "echo: %s\n", error.what());
    return 2;
  }
  loop.run();
  return 0;
}
