#include <sluice/capture/record.hpp>

namespace sluice::capture {

const char* to_string(event what) noexcept {
  switch (what) {
    case event::connected: return "connected";
    case event::received: return "received";
    case event::sent: return "sent";
    case event::input_ended: return "input ended";
    case event::output_ended: return "output ended";
    case event::reading_paused: return "reading paused";
    case event::reading_resumed: return "reading resumed";
    case event::writing_paused: return "writing paused";
    case event::writing_resumed: return "writing resumed";
    case event::lost: return "lost";
    case event::dropped: return "dropped";
    case event::parity_error: return "parity error";
    case event::framing_error: return "framing error";
    case event::line_break: return "break";
    case event::overrun: return "overrun";
    case event::lines_changed: return "lines changed";
    case event::other: return "other";
  }
  return "unknown";
}

}  // namespace sluice::capture
