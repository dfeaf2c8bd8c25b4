#include <sluice/loop.hpp>
#include <sluice/schemes.hpp>
#include <sluice/shutdown.hpp>

#include <csignal>
#include <cstdio>
#include <memory>

#include "counter.hpp"

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  const char* const at = argc > 1 ? argv[1] : "tcp://127.0.0.1:7000?first_byte=10s&idle=5m&write_stall=30s";
  std::int64_t total = 0;
  sluice::loop loop;
  try {
    const auto server = sluice::listen(loop, at, [&total] { return std::make_unique<counter>(total); });
    std::printf("listening on %s\n", server->sockets().front().to_string().c_str());
    std::fflush(stdout);
    loop.on_signal(SIGTERM, [&] { sluice::shutdown(loop, 5s); });
    loop.run();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "counter_server: %s\n", error.what());
    return 1;
  }
}
