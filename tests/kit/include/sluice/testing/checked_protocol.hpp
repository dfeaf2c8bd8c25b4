#pragma once

#include <memory>
#include <utility>

#include <sluice/protocol.hpp>
#include <sluice/testing/callback_oracle.hpp>
#include <sluice/transport.hpp>

namespace sluice::testing {

/// A protocol that passes everything on to another one and holds the order of the calls against the contract. Not for a
/// `buffered_protocol`: that one would no longer be asked for its buffer.
class checked_protocol final : public protocol {
 public:
  explicit checked_protocol(protocol_ptr inner, callback_oracle::handler on_violation = callback_oracle::abort_with_message)
      : inner_(std::move(inner)), oracle_(std::move(on_violation)) {}

  protocol& inner() noexcept { return *inner_; }

  void connection_made(transport& made) override;
  void data_received(const_bytes data) override;
  eof eof_received() override;
  backpressure pause_writing() override;
  void resume_writing() override;
  shutdown_action shutting_down() override;
  void connection_lost(std::error_code reason) override;

 private:
  protocol_ptr inner_;
  callback_oracle oracle_;
  const transport* connection_ = nullptr;
};

/// Puts a `checked_protocol` in front of each protocol that `inner` makes. A null result stays null.
protocol_factory checked(protocol_factory inner, callback_oracle::handler on_violation = callback_oracle::abort_with_message);

}  // namespace sluice::testing
