#pragma once

#include <sluice/serial.hpp>
#include <sluice/timer.hpp>

#include <functional>
#include <optional>

namespace sluice::serial {

// Asks a device for its modem lines again and again and tells what changed: no driver can wait for that without a thread that holds the
// line open.
class line_watch {
 public:
  line_watch(scheduler& owner, device& line);

  // Replaces the subscriber; an empty one ends it. The device's error if it does not know its lines.
  std::error_code subscribe(std::function<void(const lines_changed&)> told, duration interval);
  void stop() noexcept;

 private:
  void look();

  device& line_;
  std::function<void(const lines_changed&)> told_;
  duration interval_{};
  modem_lines last_;
  std::optional<line_counters> last_counters_;
  timer poll_;
};

}  // namespace sluice::serial
