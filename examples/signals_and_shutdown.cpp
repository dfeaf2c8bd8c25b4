// How a server ends well: SIGTERM or SIGINT stop accepting, every client is told and gets what is on its way to it, and after a deadline
// what is left is cut off. A second signal ends the program at once. Usage: signals_and_shutdown ENDPOINT
//
// Each client gets the time of day once a second until it hangs up.

#include <sluice/schemes.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/timer.hpp>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

namespace {

using namespace std::chrono_literals;

class clock_face final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override {
    transport_ = &transport;
    tick_ = std::make_unique<sluice::timer>(transport.scheduler(), [this] { tell(); });
    tell();
  }

 private:
  void tell() {
    const std::time_t now = std::time(nullptr);
    transport_->write(std::ctime(&now));
    tick_->start(1s);
  }

  void data_received(sluice::const_bytes) override {}

  // The default would close, too; this protocol has a last word. It stands in the queue before the end.
  sluice::shutdown_action shutting_down() override {
    tick_->stop();
    transport_->write("the clock stops here\n");
    return sluice::shutdown_action::close;
  }

  void connection_lost(std::error_code reason) override {
    tick_->stop();
    std::printf("client gone: %s\n", reason ? reason.message().c_str() : "orderly end");
  }

  sluice::transport* transport_ = nullptr;
  std::unique_ptr<sluice::timer> tick_;
};

void serve(const char* at) {
  sluice::loop loop;
  const auto server = sluice::listen(loop, at, [] { return std::make_unique<clock_face>(); });
  const auto shut_down = [&] {
    std::printf("shutting down\n");
    for (const int signal : {SIGTERM, SIGINT}) loop.remove_signal(signal);
    sluice::shutdown(loop, 5s, [](const sluice::shutdown_report& report) {
      std::printf("%zu clients, %zu cut off\n", report.asked, report.aborted.size());
    });
  };
  for (const int signal : {SIGTERM, SIGINT}) loop.on_signal(signal, shut_down);
  std::printf("listening on %s\n", server->sockets().front().to_string().c_str());
  std::fflush(stdout);
  loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: %s ENDPOINT, for example tcp://127.0.0.1:1313\n", argv[0]);
    return 2;
  }
  try {
    serve(argv[1]);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "signals_and_shutdown: %s\n", error.what());
    return 2;
  }
}
