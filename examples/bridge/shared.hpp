#pragma once

#include <sluice/endpoint.hpp>
#include <sluice/fan_out.hpp>
#include <sluice/loop.hpp>
#include <sluice/reconnect.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "recording.hpp"
#include "settings.hpp"
#include "slow_line.hpp"

namespace bridge {

// One connection to the first endpoint for all clients of the second, which stay connected while that one comes and goes. What comes from the
// first goes to every client; what clients send goes there in the order in which it arrived, and they are held while it cannot go on.
class shared {
 public:
  // `on_end` is called when the first is gone and will not come back.
  shared(sluice::loop& loop, const sluice::scheme_table& schemes, const settings& chosen, recording& records, std::function<void()> on_end);

  void start() { first_.start(); }
  // Something was plugged in: it may be what the first waits for.
  void look_again() { first_.retry_now(); }
  // The protocol of a client.
  sluice::protocol_ptr accept();
  // Clients of this server are bounded from the beginning.
  void watch(const sluice::server& clients) { clients_ = &clients; }

  void print();
  bool succeeded() const { return !failed_; }

 private:
  class line;
  class client;

  void line_made(sluice::transport& made);
  void line_lost();
  void line_paused(bool on);
  void hold_clients();
  void forward(sluice::const_bytes data);
  void told(const sluice::reconnect_event& event);
  std::size_t waiting();

  sluice::sink_options sinks_;
  std::function<void()> on_end_;
  sluice::fan_out hub_;
  sluice::reconnector first_;
  const sluice::server* clients_ = nullptr;
  sluice::transport* line_ = nullptr;
  slow_line speed_;
  bool is_paused_ = false;
  bool failed_ = false;
  std::error_code last_error_;
  std::uint64_t taken_ = 0;    // from clients, for the first
  std::uint64_t dropped_ = 0;  // of that, because the first was lost in the same turn
};

}  // namespace bridge
