#include <sluice/protocol.hpp>

#include <algorithm>
#include <cstring>

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {

protocol::~protocol() = default;
void protocol::connection_made(transport&) {}
eof protocol::eof_received() { return eof::close; }
backpressure protocol::pause_writing() { return backpressure::hold_reading; }
void protocol::resume_writing() {}
shutdown_action protocol::shutting_down() { return shutdown_action::close; }
bool protocol::needs_every_byte() const noexcept { return false; }
void protocol::connection_lost(std::error_code) {}
buffered_protocol* protocol::as_buffered() noexcept { return nullptr; }

buffered_protocol* buffered_protocol::as_buffered() noexcept { return this; }

void buffered_protocol::data_received(const_bytes data) {
  while (!data.empty()) {
    const mutable_bytes room = get_buffer(data.size());
    const std::size_t n = std::min(room.size(), data.size());
    if (n == 0) throw std::system_error(make_error_code(std::errc::no_buffer_space), "get_buffer returned an empty buffer");
    std::memcpy(room.data(), data.data(), n);
    data = data.subspan(n);
    buffer_updated(n);
  }
}

protocol_ptr detail::make_protocol(scheduler& owner, const protocol_factory& factory) noexcept {
  std::exception_ptr thrown;
  try {
    if (protocol_ptr made = factory()) return made;
  } catch (...) {
    thrown = std::current_exception();
  }
  const char* what = thrown ? "the connection was closed" : "the protocol factory returned null; the connection was closed";
  owner.report({error_source::factory, 0, errc::factory_failed, thrown, what});
  return nullptr;
}

}  // namespace sluice
