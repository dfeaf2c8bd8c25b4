#pragma once

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

// A channel to nowhere, for tests of what stands above one: takes every byte, and brings what the test hands in.
class null_channel final : public sluice::stream_transport {
 public:
  explicit null_channel(sluice::scheduler& owner) : stream_transport(owner) {}

  bool lingers_after_close = false;

  using stream_transport::failed;
  using stream_transport::receive_buffer;
  using stream_transport::received;
  using stream_transport::received_eof;

 private:
  void start_reading() override {}
  void stop_reading() override {}
  sluice::send_result send(std::span<const sluice::const_bytes> parts) override {
    std::size_t total = 0;
    for (const sluice::const_bytes part : parts) total += part.size();
    return total;
  }
  void send_later(std::span<const sluice::const_bytes>) override {}
  sluice::progress begin_close(sluice::close_kind) override { return sluice::progress::done; }
  sluice::progress release() override { return sluice::progress::done; }
  bool lingers() const override { return lingers_after_close; }
};

// Starts one, and returns it.
inline null_channel& start_null_channel(sluice::scheduler& owner, sluice::protocol_ptr upper) {
  return static_cast<null_channel&>(sluice::stream_transport::start(std::make_unique<null_channel>(owner), std::move(upper)));
}
