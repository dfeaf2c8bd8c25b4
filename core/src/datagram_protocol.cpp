#include <sluice/datagram_protocol.hpp>

namespace sluice {

datagram_protocol::~datagram_protocol() = default;
void datagram_protocol::connection_made(datagram_transport&) {}
void datagram_protocol::error_received(std::error_code) {}
backpressure datagram_protocol::pause_writing() { return backpressure::hold_reading; }
void datagram_protocol::resume_writing() {}
shutdown_action datagram_protocol::shutting_down() { return shutdown_action::close; }
void datagram_protocol::connection_lost(std::error_code) {}

}  // namespace sluice
