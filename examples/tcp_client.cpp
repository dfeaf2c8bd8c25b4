// A client that does not give up easily: it connects by name, says one thing, prints what it gets, and connects again, after longer and longer
// pauses, when it cannot connect or the connection breaks. It ends when the server does so in good order. All timeouts are options of the
// endpoint: tcp_client 'tcp://localhost:7000?connect_timeout=5s&idle=30s&attempt_delay=100ms' --say hello

#include <sluice/schemes.hpp>
#include <sluice/timer.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

struct settings {
  std::string endpoint;
  std::string words;
  unsigned attempts = 10;
};

// Twice as long each time, and not the same for all: clients that lost their server together should not come back together.
class back_off {
 public:
  void reset() { ceiling_ = shortest; }
  milliseconds next() {
    const milliseconds pause(std::uniform_int_distribution<milliseconds::rep>(ceiling_.count() / 2, ceiling_.count())(random_));
    ceiling_ = std::min<milliseconds>(2 * ceiling_, longest);
    return pause;
  }

 private:
  static constexpr milliseconds shortest = 100ms;
  static constexpr milliseconds longest = 10s;

  milliseconds ceiling_ = shortest;
  std::minstd_rand random_{std::random_device()()};
};

class client {
 public:
  client(sluice::loop& loop, const settings& chosen)
      : loop_(loop), to_(chosen.endpoint), words_(chosen.words), attempts_left_(chosen.attempts), pause_(loop, [this] { connect(); }) {}

  void connect();
  bool succeeded() const { return succeeded_; }

  const std::string& words() const { return words_; }
  // Only a server that answers is back: one that cuts us off at once would have us back at once, for ever.
  void heard() { pauses_.reset(); }
  void ended(std::error_code reason) {
    succeeded_ = !reason;
    if (reason) again(reason.message());
  }

 private:
  void again(const std::string& why);

  sluice::loop& loop_;
  sluice::endpoint to_;
  std::string words_;
  unsigned attempts_left_;
  sluice::connecting attempt_;
  sluice::timer pause_;
  back_off pauses_;
  bool succeeded_ = false;
};

// One connection. An idle timeout, where the endpoint has one, ends it like any other error.
class session final : public sluice::protocol {
 public:
  explicit session(client& owner) : owner_(owner) {}

 private:
  void connection_made(sluice::transport& transport) override {
    std::fprintf(stderr, "connected to %s\n", transport.info<sluice::peer_address>()->value.to_string().c_str());
    transport.write(owner_.words());
    transport.write_eof();
  }
  void data_received(sluice::const_bytes data) override {
    owner_.heard();
    std::fwrite(data.data(), 1, data.size(), stdout);
    std::fflush(stdout);
  }
  void connection_lost(std::error_code reason) override { owner_.ended(reason); }

  client& owner_;
};

void client::connect() {
  --attempts_left_;
  attempt_ = sluice::connect(
      loop_, to_, [this] { return std::make_unique<session>(*this); },
      [this](const sluice::result<sluice::transport&>& made) {
        if (!made) again(made.detail());
      });
}

void client::again(const std::string& why) {
  if (attempts_left_ == 0) {
    std::fprintf(stderr, "%s; that was the last attempt\n", why.c_str());
    return;
  }
  const milliseconds pause = pauses_.next();
  std::fprintf(stderr, "%s; again in %d ms\n", why.c_str(), static_cast<int>(pause.count()));
  pause_.start(pause);
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
    sluice::loop loop;
    client one(loop, chosen);
    one.connect();
    loop.run();
    return one.succeeded() ? 0 : 1;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "tcp_client: %s\n", error.what());
    return 2;
  }
}
