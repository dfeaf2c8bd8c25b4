#include <sluice/testing/checked_protocol.hpp>

#include <utility>

namespace sluice::testing {

void checked_protocol::connection_made(transport& made) {
  connection_ = &made;
  const callback_oracle::scope running(oracle_, callback::made, connection_);
  inner_->connection_made(made);
}

void checked_protocol::data_received(const_bytes data) {
  const callback_oracle::scope running(oracle_, callback::data, connection_, data.size());
  inner_->data_received(data);
}

eof checked_protocol::eof_received() {
  const callback_oracle::scope running(oracle_, callback::eof, connection_);
  return inner_->eof_received();
}

backpressure checked_protocol::pause_writing() {
  const callback_oracle::scope running(oracle_, callback::pause, connection_);
  return inner_->pause_writing();
}

void checked_protocol::resume_writing() {
  const callback_oracle::scope running(oracle_, callback::resume, connection_);
  inner_->resume_writing();
}

shutdown_action checked_protocol::shutting_down() {
  const callback_oracle::scope running(oracle_, callback::shutting_down, connection_);
  return inner_->shutting_down();
}

void checked_protocol::connection_lost(std::error_code reason) {
  const callback_oracle::scope running(oracle_, callback::lost, std::exchange(connection_, nullptr));
  inner_->connection_lost(reason);
}

protocol_factory checked(protocol_factory inner, callback_oracle::handler on_violation) {
  return [inner = std::move(inner), on_violation = std::move(on_violation)]() -> protocol_ptr {
    protocol_ptr made = inner();
    if (made == nullptr) return nullptr;
    return std::make_unique<checked_protocol>(std::move(made), on_violation);
  };
}

}  // namespace sluice::testing
