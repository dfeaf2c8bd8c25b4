#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

#include <sluice/bytes.hpp>
#include <sluice/capture/queue.hpp>
#include <sluice/capture/record.hpp>
#include <sluice/layer.hpp>

namespace sluice::capture {

/// A layer that changes nothing and records everything: what comes, what is sent, and what happens to the connection. Works over any
/// transport, and where it stands decides what it sees: directly above the transport what is on the wire, above TLS what is meant.
///
///     capture::queue records(loop);
///     tcp::server server(loop, wrap<capture::tap>(loop, factory, records));
///
/// It never holds a connection up: a queue without room drops, and counts. No event costs an allocation; making and losing the connection
/// do.
class tap final : public layer {
 public:
  /// For `upgrade`: records from then on.
  tap(sluice::scheduler& owner, const queue& into);
  /// For use at the start of a connection.
  tap(sluice::scheduler& owner, protocol_ptr upper, const queue& into);
  ~tap() override;

  /// What the protocol above says, once it is known.
  bool needs_every_byte() const noexcept override;

  /// The transport below; valid from `connection_made` of the protocol above until its `connection_lost` returns.
  transport& below() const noexcept { return lower(); }

  /// Records something about this connection that only others can see: a break, a damaged character, a word of the program's own.
  void note(event what, const_bytes data = {}, std::string_view words = {}) noexcept;
  /// The modem lines as they are from now on, bits of `line`: recorded, and told with each later record.
  void set_lines(std::uint8_t lines) noexcept;

 private:
  void connection_made(transport& below) override;
  void data_received(const_bytes data) override;
  eof eof_received() override;
  backpressure pause_writing() override;
  void resume_writing() override;
  void connection_lost(std::error_code reason) override;

  void start_reading() override;
  void stop_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  std::error_code shutdown_output() override;
  void describe(info_query& query) const override;

  tap(sluice::scheduler& owner, protocol_ptr&& upper, const queue& into, bool needs_every_byte);

  record about(event what) const noexcept;
  void tell_lost(std::error_code reason) noexcept;

  queue records_;
  bool upper_needs_every_byte_;  // until the engine can be asked
  bool connected_ = false;
  bool reading_paused_ = false;
  bool sending_ = false;
  bool paused_while_sending_ = false;
  std::uint8_t lines_ = 0;
};

/// The tap that `of` is, or the topmost one below it; null if there is none. Valid as long as that layer is.
tap* find_tap(const transport& of) noexcept;

}  // namespace sluice::capture
