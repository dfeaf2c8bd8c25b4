#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

#include <sluice/layer.hpp>
#include <sluice/timer.hpp>

namespace sluice::testing {

/// What a `handshaking_layer` says and how its handshake ends.
struct handshake_script {
  enum class ending : std::uint8_t {
    succeed,  ///< Established as soon as the peer's greeting has arrived.
    fail,     ///< When the peer's greeting has arrived, fails with `errc::handshake_failed`.
    hang,     ///< Greets, and swallows all that it hears.
    die       ///< Sends half of its greeting and aborts the transport below.
  };

  ending end = ending::succeed;
  std::string greeting = "hello\n";  ///< Sent first of all. May be empty.
  std::string expected = "hello\n";  ///< What the peer has to send; the first byte that differs is `errc::handshake_failed`.
  bool greets_second = false;        ///< Greet only once the peer has, as a server does.
  /// `errc::timed_out` if the handshake takes longer; 0 is no limit.
  std::chrono::milliseconds timeout{0};
};

/// A layer with a handshake and nothing else: afterwards it passes everything on unchanged. It stands for TLS, a proxy's preamble or a
/// tunnel where a test is about what happens around a handshake (rules L4, V5), and can end it in each way that there is.
///
/// Bytes that follow the peer's greeting in the same read go to the upper protocol. An end of input before the handshake is done is
/// `errc::truncated`.
class handshaking_layer final : public layer {
 public:
  /// For `transport::upgrade`.
  explicit handshaking_layer(sluice::scheduler& owner, handshake_script script = {});
  /// For the start of a connection.
  handshaking_layer(sluice::scheduler& owner, protocol_ptr upper, handshake_script script = {});

  /// Bytes of the peer's greeting that have arrived.
  std::size_t heard() const noexcept { return heard_; }

 private:
  void connection_made(transport& below) override;
  void data_received(const_bytes data) override;
  eof eof_received() override;
  void connection_lost(std::error_code reason) override;

  std::size_t match(const_bytes data);
  void greeting_complete(const_bytes rest);

  handshake_script script_;
  std::size_t heard_ = 0;
  timer timeout_;
};

}  // namespace sluice::testing
