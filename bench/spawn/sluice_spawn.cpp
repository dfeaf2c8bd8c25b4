// Starts children through sluice::process, one after the other, as uv_spawn.c does on plain libuv.
//
// usage: sluice_spawn COUNT [PROGRAM]; prints how many there were and how many nanoseconds they took.

#include <sluice/loop.hpp>
#include <sluice/process.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

using namespace sluice;

constexpr std::size_t message_size = 32;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "sluice_spawn: %s\n", what.c_str());
  std::exit(1);
}

struct series {
  loop& owner;
  process::options wanted;
  unsigned long left;
  std::string message = std::string(message_size, 'x');

  void start();
};

class child final : public process_protocol {
 public:
  explicit child(series& all) : all_(all) {}

  void connection_made(process_transport& made) override {
    process_ = &made;
    made.pipe(0)->write(all_.message);
  }
  void pipe_data_received(int, const_bytes data) override {
    received_ += data.size();
    if (received_ == message_size) process_->pipe(0)->close();
  }
  void process_exited(const process::exit_status& status) override {
    if (!status.succeeded()) fail(all_.wanted.program + " ended with " + to_string(status));
  }
  void connection_lost(std::error_code) override {
    if (received_ != message_size) fail("what came back is not the message");
    if (--all_.left > 0) all_.owner.call_soon([&all = all_] { all.start(); });
  }

 private:
  series& all_;
  process_transport* process_ = nullptr;
  std::size_t received_ = 0;
};

void series::start() {
  const auto started = process::spawn(owner, wanted, [this] { return std::make_unique<child>(*this); });
  if (!started) fail(started.detail());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = argc > 1 ? argv[1] : "";
  unsigned long count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (argc > 3 || error != std::errc() || end != text.data() + text.size() || count == 0) {
    std::fprintf(stderr, "usage: sluice_spawn COUNT [PROGRAM]\n");
    return 2;
  }
  loop owner;
  series all{owner, {.program = argc == 3 ? argv[2] : "cat"}, count};
  const auto begin = std::chrono::steady_clock::now();
  all.start();
  owner.run();
  const std::chrono::nanoseconds spent = std::chrono::steady_clock::now() - begin;
  std::printf("{\"messages\": %lu, \"nanoseconds\": %lld}\n", count, static_cast<long long>(spent.count()));
}
