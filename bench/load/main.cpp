// Asks a server for one kind of work and prints what went through as one line of JSON: echo_load WORKLOAD ENDPOINT [OPTION…]

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "workload.hpp"

namespace {

struct settings {
  std::string workload;
  std::string endpoint;
  load::plan plan;
  double warm_up = 0.3;
  double seconds = 2;
  std::uint64_t warm_up_messages = 0;
  std::uint64_t messages = 0;
  int server = 0;
  bool pause = false;
};

using factory = std::unique_ptr<load::workload> (*)(load::target&, const load::plan&);

const std::map<std::string, factory>& factories() {
  static const std::map<std::string, factory> all = {
      {"echo", load::make_echo},       {"datagrams", load::make_datagrams}, {"sink", load::make_sink},    {"source", load::make_source},
      {"connect", load::make_connect}, {"handshake", load::make_handshake}, {"resume", load::make_resume}};
  return all;
}

load::limit limit_of(std::uint64_t messages, double seconds) {
  if (messages != 0) return {messages, 0};
  return {std::nullopt, static_cast<std::uint64_t>(seconds * 1e9)};
}

// Whoever started us looks at the server now, and says when to go on.
void pause_at(const char* point) {
  std::printf("%s\n", point);
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
}

void run_phases(load::target& server, const settings& chosen) {
  const auto work = factories().at(chosen.workload)(server, chosen.plan);
  load::histogram latencies;
  load::result measured;
  work->run(limit_of(chosen.warm_up_messages, chosen.warm_up), measured, latencies);
  if (chosen.pause) pause_at("warm");
  latencies.clear();
  measured = {};
  const load::window window(chosen.server);
  work->run(limit_of(chosen.messages, chosen.seconds), measured, latencies);
  window.end(measured);
  if (chosen.pause) pause_at("done");
  load::print(measured, latencies);
}

// Some kinds are about TLS, and some others can do with it.
void check_kind(const load::target& server, const settings& chosen) {
  static const std::set<std::string> with_tls_only = {"handshake", "resume", "silent"};
  static const std::set<std::string> with_or_without = {"echo", "idle"};
  const bool needs_tls = with_tls_only.contains(chosen.workload);
  if (server.tls() == nullptr ? needs_tls : !needs_tls && !with_or_without.contains(chosen.workload))
    throw std::invalid_argument("no " + chosen.workload + " at " + chosen.endpoint);
}

void run(const settings& chosen) {
  load::target server(chosen.endpoint);
  check_kind(server, chosen);
  if (factories().contains(chosen.workload)) return run_phases(server, chosen);
  load::result passed;
  passed.messages =
      chosen.workload == "idle" ? load::run_idle(server, chosen.plan, pause_at) : load::run_silent(server, chosen.plan, pause_at);
  load::print(passed, {});
}

void describe(CLI::App& app, settings& chosen) {
  app.add_option("WORKLOAD", chosen.workload, "what to ask for")
      ->required()
      ->check(CLI::IsMember({"echo", "datagrams", "sink", "source", "connect", "handshake", "resume", "idle", "silent"}));
  app.add_option("ENDPOINT", chosen.endpoint,
                 "the server: tcp://127.0.0.1:7000, tls://127.0.0.1:7000, udp://127.0.0.1:7000, unix:/run/echo.sock")
      ->required();
  app.add_option("--connections", chosen.plan.connections, "how many at once")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--size", chosen.plan.size, "bytes of a message")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--depth", chosen.plan.depth, "messages under way on each connection")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--warm-up", chosen.warm_up, "seconds before the measurement")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "seconds to measure")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--warm-up-messages", chosen.warm_up_messages, "so many messages instead of a time");
  app.add_option("--messages", chosen.messages, "so many messages instead of a time");
  app.add_option("--server", chosen.server, "the process whose CPU time is measured");
  app.add_flag("--pause", chosen.pause, "print \"warm\" before and \"done\" after the measurement, and wait there for a line of input");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Loads a server, checks every byte that comes back, and measures.");
  settings chosen;
  describe(app, chosen);
  CLI11_PARSE(app, argc, argv);
  try {
    run(chosen);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
  return 0;
}
