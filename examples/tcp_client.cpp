// A client that does not give up easily: it connects by name, says one thing, prints what it gets, and connects again, after longer and longer
// pauses, when it cannot connect or the connection breaks. It ends when the server does so in good order. All timeouts are options of the
// endpoint: tcp_client 'tcp://localhost:7000?connect_timeout=5s&idle=30s&attempt_delay=100ms' --say hello

#include <sluice/reconnect.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

namespace {

struct settings {
  std::string endpoint;
  std::string words;
  unsigned attempts = 10;
};

// One connection. An idle timeout, where the endpoint has one, ends it like any other error.
class session final : public sluice::protocol {
 public:
  explicit session(const std::string& words) : words_(words) {}

 private:
  void connection_made(sluice::transport& transport) override {
    std::fprintf(stderr, "connected to %s\n", transport.info<sluice::peer_address>()->value.to_string().c_str());
    transport.write(words_);
    transport.write_eof();
  }
  void data_received(sluice::const_bytes data) override {
    std::fwrite(data.data(), 1, data.size(), stdout);
    std::fflush(stdout);
  }

  const std::string& words_;
};

void tell(const sluice::reconnect_event& event) {
  if (!event.error) return;
  if (event.next)
    std::fprintf(stderr, "%s; again in %d ms\n", event.detail.c_str(),
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(*event.next).count()));
  else
    std::fprintf(stderr, "%s; that was the last attempt\n", event.detail.c_str());
}

// True if the server ended the last connection in good order.
bool talk(const settings& chosen) {
  sluice::loop loop;
  sluice::reconnect_options how;
  how.pacing.attempts = chosen.attempts;
  how.pacing.after_orderly_end = sluice::reconnect_machine::orderly_end::finish;
  how.on_event = tell;
  sluice::reconnector client(
      loop, chosen.endpoint, [&] { return std::make_unique<session>(chosen.words); }, how);
  client.start();
  loop.run();
  return client.state() == sluice::reconnect_machine::state::finished;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Connects to a server, says one thing and prints the answer.");
  settings chosen;
  app.add_option("ENDPOINT", chosen.endpoint, "the server: tcp://localhost:7000, tcp://[::1]:7000?connect_timeout=5s, unix:/run/x.sock")
      ->required();
  app.add_option("--say", chosen.words, "what is sent before the end of the output");
  app.add_option("--attempts", chosen.attempts, "how often to connect at most")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  try {
    return talk(chosen) ? 0 : 1;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "tcp_client: %s\n", error.what());
    return 2;
  }
}
