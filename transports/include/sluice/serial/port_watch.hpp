#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <system_error>
#include <vector>

#include <sluice/loop.hpp>
#include <sluice/serial/ports.hpp>

namespace sluice::serial {

/// What happened to a port.
enum class port_change : std::uint8_t {
  added,
  removed,
  changed  ///< It got a link or another one, or its permissions changed, as udev does a moment after the kernel has added it.
};

/// Views are valid for the call.
struct port_event {
  port_change what;
  /// As it is now; of a port that is gone, as it was last.
  const serial::port& port;
};

struct port_watch_options {
  system_folders where = {};
  /// How often the ports are listed where the system does not tell of changes: it has no inotify, or none left for this user.
  std::chrono::milliseconds poll_interval = std::chrono::seconds(1);
  /// Off: polls always.
  bool notify = true;
};

/// Tells which ports come and go. It sleeps until the system says that something changed in its folder of devices, and then lists the ports
/// on another thread, at most a hundred times per second however much changes. A port that goes and comes back between two looks is not seen
/// to have gone, unless it differs.
///
/// Keeps `loop::run` running. Loop's thread only; may be destroyed in its own handler.
class port_watch {
 public:
  /// Called in a turn, once for each change; what it throws goes to the error hook. The ports that there are at first are told as `added`, so
  /// that nobody has to list them.
  using handler = std::function<void(const port_event&)>;

  /// Throws `std::invalid_argument` for an empty handler or an interval below 1 ms.
  port_watch(loop& owner, handler on_change, port_watch_options options = {});
  port_watch(const port_watch&) = delete;
  port_watch& operator=(const port_watch&) = delete;
  ~port_watch();

  /// As listed last; empty until the first look is over.
  const std::vector<port>& ports() const noexcept;
  /// Why the last look failed; empty if it did not. The ports of the one before count on.
  std::error_code error() const noexcept;
  /// How often the ports were listed.
  std::uint64_t looks() const noexcept;
  /// The system tells of changes; else the ports are polled.
  bool is_notified() const noexcept;

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace sluice::serial
