// One protocol, any endpoints at once: echo ENDPOINT… [--high BYTES] [--low BYTES] [--mode echo|sink|source] [--drain SECONDS]
// [--hand-over PATH]

#include <sluice/datagram_transport.hpp>
#include <sluice/error.hpp>
#include <sluice/hand_over.hpp>
#include <sluice/info.hpp>
#include <sluice/loop.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <CLI/CLI.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "program_schemes.hpp"

namespace {

using namespace std::chrono_literals;

struct settings {
  std::vector<std::string> endpoints;
  std::optional<std::string> high;
  std::optional<std::string> low;
  std::string mode = "echo";
  unsigned drain = 5;
  std::string hand_over;
};

// Sends back what it gets. A client that does not read is held back by the watermarks, without a line here.
class echo : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }

  void data_received(sluice::const_bytes data) override { transport_->write(data); }

  // Bytes may be on their way to us: the connection is closed once none has come for a moment and all answers are gone.
  sluice::shutdown_action shutting_down() override {
    settling_ = std::make_unique<settling>(transport_->scheduler(), [this] { close_if_quiet(); });
    settling_->check.start(100ms);
    return sluice::shutdown_action::handled;
  }

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

  sluice::transport* transport_ = nullptr;
  std::unique_ptr<settling> settling_;  // only while shutting down
};

class sink final : public echo {
 public:
  void data_received(sluice::const_bytes) override {}
  sluice::shutdown_action shutting_down() override { return sluice::shutdown_action::close; }
};

// Sends without end, as fast as the client reads: until the transport says that enough is queued, and a little per turn, so that the
// other connections get theirs.
class source final : public echo {
 public:
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

// The same for datagrams, each on its own.
class datagram_echo final : public sluice::datagram_protocol {
 public:
  explicit datagram_echo(const settings& chosen) : answers_(chosen.mode == "echo") {}
  void connection_made(sluice::datagram_transport& transport) override { transport_ = &transport; }
  void datagram_received(sluice::const_bytes data, const sluice::address& from) override {
    if (answers_) transport_->send_to(data, from);
  }

 private:
  bool answers_;
  sluice::datagram_transport* transport_ = nullptr;
};

sluice::protocol_ptr make(const settings& chosen) {
  if (chosen.mode == "sink") return std::make_unique<sink>();
  if (chosen.mode == "source") return std::make_unique<source>();
  return std::make_unique<echo>();
}

// The marks are options of the endpoint, as everything else that can be set about it.
std::string with_marks(std::string text, const settings& chosen) {
  const auto add = [&text](const char* name, const std::optional<std::string>& bytes) {
    if (bytes) text += (text.find('?') == text.npos ? '?' : '&') + (name + *bytes);
  };
  add("high=", chosen.high);
  add("low=", chosen.low);
  return text;
}

void say(const sluice::endpoint& at, const sluice::address& bound) {
  std::printf("listening on %s\n", (at.port() ? at.with_port(bound.port()) : at).to_string().c_str());
  std::fflush(stdout);
}

std::unique_ptr<sluice::server> listen(sluice::loop& loop, const sluice::scheme_table& schemes, const std::string& text,
                                       const settings& chosen) {
  auto server = schemes.listen(loop, with_marks(text, chosen), [&chosen] { return make(chosen); });
  say(text, server->sockets().front());
  return server;
}

void open_datagrams(sluice::loop& loop, const sluice::scheme_table& schemes, const std::string& text, const settings& chosen) {
  if (chosen.mode == "source")
    throw std::system_error(sluice::errc::not_supported, text + ": datagrams have no connections to send to in mode source");
  auto& opened = schemes.open_datagrams(loop, with_marks(text, chosen), std::make_unique<datagram_echo>(chosen));
  say(text, opened.info<sluice::local_address>()->value);
}

void parse(int argc, char** argv, CLI::App& app, settings& chosen) {
  app.add_option(
         "ENDPOINT", chosen.endpoints,
         "where to listen: tcp://127.0.0.1:7000, unix:/run/echo.sock, udp://127.0.0.1:7000, tls://127.0.0.1:7001?cert=cert.pem&key=key.pem")
      ->required();
  app.add_option("--high", chosen.high, "unsent bytes of one connection above which its input is held, such as 65536 or 64KiB");
  app.add_option("--low", chosen.low, "unsent bytes at which it goes on");
  app.add_option("--mode", chosen.mode, "what to do with a connection")
      ->check(CLI::IsMember({"echo", "sink", "source"}))
      ->capture_default_str();
  app.add_option("--drain", chosen.drain, "seconds to deliver what is in flight after SIGTERM or SIGINT")->capture_default_str();
  app.add_option(
      "--hand-over", chosen.hand_over,
      "a socket file: take over the sockets of the process that runs with the same option, which drains and ends, and wait there "
      "for the next one");
  app.parse(argc, argv);
}

void serve(const settings& chosen) {
  sluice::loop loop;
  std::vector<std::unique_ptr<sluice::server>> servers;
  const auto stop = [&] {  // no new clients, what is in flight is delivered, and after the deadline what is left is cut off
    sluice::shutdown(loop, std::chrono::seconds(chosen.drain));
    for (const int signal : {SIGTERM, SIGINT}) loop.remove_signal(signal);  // a second one ends the program at once
  };
  for (const int signal : {SIGTERM, SIGINT}) loop.on_signal(signal, stop);
  program_schemes schemes("echo", loop);
  loop.on_signal(SIGHUP, [&] { schemes.reload(); });
  sluice::hand_over::succession before;
  std::optional<sluice::hand_over::offer> next;
  if (!chosen.hand_over.empty()) {
    const auto meeting_place = sluice::address::unix_path(chosen.hand_over);
    before = sluice::hand_over::take(loop, meeting_place);
    next.emplace(loop, meeting_place, stop);
  }
  for (const std::string& text : chosen.endpoints) {
    if (schemes.table.carries_datagrams(text)) {
      open_datagrams(loop, schemes.table, text, chosen);
      continue;
    }
    servers.push_back(listen(loop, schemes.table, text, chosen));
    if (next) next->add(*servers.back());
  }
  before.ready();  // clients come to us from now on
  loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Echoes what clients send.");
  settings chosen;
  try {
    parse(argc, argv, app, chosen);
    serve(chosen);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "echo: %s\n", error.what());
    return 2;
  }
}
