#pragma once

#include <functional>
#include <system_error>
#include <utility>

namespace sluice {

class stream_transport;
class transport;

/// Tells when a transport is over, whichever protocol it has by then: for whoever looks after a connection and does not speak on it. Costs
/// nothing per event. Scheduler's thread only.
class end_watch {
 public:
  /// Gets what `connection_lost` got, after that has returned; what it throws goes to the error hook. It may start, stop and destroy the watch.
  using handler = std::function<void(std::error_code reason)>;

  explicit end_watch(handler on_end) : on_end_(std::move(on_end)) {}
  end_watch(const end_watch&) = delete;
  end_watch& operator=(const end_watch&) = delete;
  /// Stops it.
  ~end_watch() { stop(); }

  /// The handler is called once, when `target` is over; any number of watches may look at one transport. A watch that is running moves to
  /// `target`. Throws `std::bad_alloc`; it is stopped then.
  void start(transport& target);
  /// Does nothing if it is not running.
  void stop() noexcept;
  bool is_running() const noexcept { return place_ != nullptr; }

 private:
  friend class stream_transport;

  handler on_end_;
  end_watch* next_ = nullptr;
  end_watch** place_ = nullptr;  // what points here: a transport's list, or the watch before
};

}  // namespace sluice
