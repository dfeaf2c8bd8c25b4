// Shows how a host with several addresses is connected to (RFC 8305): each attempt with the time at which it began, how it ended and after
// how long. Any set of addresses can be tried out as if a name server had given them; 192.0.2.1 is one that nobody has, so that nothing ever
// answers there: happy_eyeballs there 7000 --as 192.0.2.1 --as ::1 --as 127.0.0.1 --delay 100

#include <sluice/error.hpp>
#include <sluice/tcp.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

struct settings {
  std::string host;
  std::uint16_t port = 0;
  std::vector<std::string> pretended;
  unsigned delay = 250;
  unsigned first = 1;
  unsigned timeout = 10'000;
};

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

std::string outcome(std::error_code error) {
  if (!error) return "connected";
  if (error == sluice::errc::cancelled) return "given up, as another was faster";
  if (error == sluice::errc::timed_out) return "given up, as the time was over";
  return error.message();
}

void show(const sluice::connect_attempt& attempt) {
  std::printf("%9.1f ms  %-24s %s after %.1f ms\n", milliseconds(attempt.began), attempt.to.to_string().c_str(),
              outcome(attempt.error).c_str(), milliseconds(attempt.took));
}

// The connection itself is of no interest here.
class hang_up final : public sluice::protocol {
  void connection_made(sluice::transport& transport) override { transport.close(); }
  void data_received(sluice::const_bytes) override {}
};

// Throws `std::system_error` for what is no address.
sluice::lookup_function pretend(const std::vector<std::string>& hosts) {
  std::vector<sluice::address> addresses;
  for (const std::string& each : hosts) addresses.emplace_back(each, 0);
  return [addresses](const std::string&, sluice::ip_family, std::error_code&) { return addresses; };
}

sluice::tcp::options connect_options(const settings& chosen) {
  sluice::tcp::options options;
  options.connect_timeout = std::chrono::milliseconds(chosen.timeout);
  options.attempt_delay = std::chrono::milliseconds(chosen.delay);
  options.first_family_count = chosen.first;
  options.on_attempt = show;
  return options;
}

int run(const settings& chosen) {
  sluice::loop loop;
  if (!chosen.pretended.empty()) sluice::resolver::of(loop).set_options({.lookup = pretend(chosen.pretended)});
  int status = 1;
  const auto done = [&](const sluice::result<sluice::transport&>& made) {
    status = made ? 0 : 1;
    std::printf("%s\n", made ? "there is a connection" : made.detail().c_str());
  };
  const auto attempt = sluice::tcp::connect(
      loop, chosen.host, chosen.port, [] { return std::make_unique<hang_up>(); }, done, connect_options(chosen));
  loop.run();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows each attempt to connect to a host.");
  settings chosen;
  app.add_option("HOST", chosen.host, "a name, or a numeric address")->required();
  app.add_option("PORT", chosen.port, "its port, 1 to 65535")->check(CLI::Range(1, 65535))->required();
  app.add_option("--as", chosen.pretended, "an address to try as if HOST had it; may be given several times");
  app.add_option("--delay", chosen.delay, "milliseconds until the next address is tried, too; 0: when the one before has failed")
      ->capture_default_str();
  app.add_option("--first", chosen.first, "addresses of the first family before the families take turns; 0: they do not")
      ->capture_default_str();
  app.add_option("--timeout", chosen.timeout, "milliseconds for the whole")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(chosen);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "happy_eyeballs: %s\n", error.what());
    return 2;
  }
}
