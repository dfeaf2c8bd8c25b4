// The code of docs/flow-control.md.
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/transport.hpp>

#include <array>
#include <cstddef>
#include <fstream>
#include <utility>

class echo final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { transport_->write(data); }

 private:
  sluice::transport* transport_ = nullptr;
};

class file_sender final : public sluice::protocol {
 public:
  explicit file_sender(std::ifstream file) : file_(std::move(file)) {}

  void connection_made(sluice::transport& transport) override {
    transport_ = &transport;
    send();
  }
  void data_received(sluice::const_bytes) override {}
  sluice::backpressure pause_writing() override { return sluice::backpressure::handled; }
  void resume_writing() override { send(); }

 private:
  void send() {
    std::array<char, 16 * 1024> block;
    while (file_.read(block.data(), block.size()) || file_.gcount() > 0) {
      const std::string_view text(block.data(), static_cast<std::size_t>(file_.gcount()));
      if (transport_->write(text) != sluice::write_status::accepted) return;  // resume_writing() goes on
    }
    transport_->close();
  }

  std::ifstream file_;
  sluice::transport* transport_ = nullptr;
};

class limited final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override {
    sluice::stream_options options = transport.options();
    options.write_buffer = {.low = 256 * 1024, .high = 1024 * 1024};
    options.max_write_buffer = 8 * 1024 * 1024;
    options.write_stall_timeout = std::chrono::seconds(30);
    transport.set_options(options);
  }
  void data_received(sluice::const_bytes) override {}
};

void bound_everything(sluice::loop& loop) { loop.set_memory_budget(256 * 1024 * 1024); }
