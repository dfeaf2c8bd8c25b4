// For activation_test: serves at the endpoints that it is given, and answers what clients send with its number. Says
// what it does line by line on standard output. Ends when it gets SIGTERM and its clients are gone.
//
// usage: passed_server {left|ENDPOINT}…   left: what was passed and not taken

#include <sluice/activation.hpp>
#include <sluice/error.hpp>
#include <sluice/schemes.hpp>
#include <sluice/shutdown.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

class number_teller final : public sluice::protocol {
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes) override {
    transport_->write(std::to_string(::getpid()) + '\n');
    transport_->close();
  }
  sluice::transport* transport_ = nullptr;
};

void serve(sluice::loop& loop, std::vector<std::unique_ptr<sluice::server>>& servers, const std::string& at) {
  try {
    servers.push_back(sluice::listen(loop, at, [] { return std::make_unique<number_teller>(); }));
    std::string line = at + " serves at";
    for (const sluice::address& each : servers.back()->sockets()) line += ' ' + each.to_string();
    say(line);
  } catch (const std::system_error& error) {
    say(error.what());
  }
}

void say_what_is_left() {
  std::string line = "left:";
  for (const auto& each : sluice::activation::passed()) line += ' ' + each.name + '=' + std::to_string(each.number);
  say(line);
}

}  // namespace

int main(int argc, char** argv) {
  sluice::loop loop;
  std::vector<std::unique_ptr<sluice::server>> servers;
  const auto stop = [&] {
    loop.remove_signal(SIGTERM);
    sluice::shutdown(loop, 10s);
  };
  loop.on_signal(SIGTERM, stop);
  try {
    for (const std::string& word : std::vector<std::string>(argv + 1, argv + argc)) {
      if (word == "left")
        say_what_is_left();
      else
        serve(loop, servers, word);
    }
  } catch (const std::system_error& error) {
    say(error.what());
    return 2;
  }
  say("running");
  loop.run();
  return 0;
}
