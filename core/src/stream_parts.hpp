#pragma once

#include <memory>
#include <optional>

#include <sluice/detail/deadline_watch.hpp>
#include <sluice/detail/time_span.hpp>
#include <sluice/end_watch.hpp>
#include <sluice/layer.hpp>
#include <sluice/stream_transport.hpp>

#include "thread_check.hpp"

// What the engine's source files share.

namespace sluice {

// Sent of one connection before others have their turn, queued bytes and files alike; more in flight no longer fits the caches.
inline constexpr std::size_t most_per_turn = 256 * 1024;

// The turn of one read.
class read_guard {
 public:
  explicit read_guard(scheduler& owner) noexcept : owner_(owner) { owner_.enter_turn(); }
  read_guard(const read_guard&) = delete;
  read_guard& operator=(const read_guard&) = delete;
  ~read_guard() { owner_.leave_read(); }

 private:
  scheduler& owner_;
};

struct stream_transport::pending_switch {
  std::unique_ptr<layer> between;  // null: a plain switch
  protocol_ptr next;
  std::unique_ptr<detail::retired_protocols> old;  // empty until the switch takes effect
  detail::chunk_queue unread;
};

// State that few connections ever need; made at first use and kept.
struct stream_transport::rare_state {
  rare_state();
  ~rare_state();

  detail::chunk_queue held;  // received, and not delivered because reading is held
  std::unique_ptr<pending_switch> next;
  std::unique_ptr<outgoing_file> file;              // until its completion was told
  end_watch* watches = nullptr;                     // of whoever wants to know of the end
  std::optional<detail::deadline_watch> deadlines;  // while the connection is open and has any
};

inline bool stream_transport::has_held_input() const noexcept { return rare_ != nullptr && !rare_->held.empty(); }

inline bool stream_transport::switch_pending() const noexcept { return rare_ != nullptr && rare_->next != nullptr; }

// The one boundary between the engine and callbacks: nothing that a callback throws passes it (rule X9). True if nothing was thrown.
template <typename F>
inline bool stream_transport::guarded(const char* callback, F&& function) noexcept {
  ++callback_depth_;
  bool returned = true;
  try {
    function();
  } catch (...) {
    threw(callback);
    returned = false;
  }
  --callback_depth_;
  return returned;
}

// A callback whose exception ends the connection (rules X1, X2), and behind which a protocol switch takes effect (rule V2).
template <typename F>
inline void stream_transport::call(const char* callback, F&& function) noexcept {
  if (!guarded(callback, function)) [[unlikely]]
    abort_with(errc::protocol_threw);
  if (attention_ != 0) [[unlikely]]
    after_callback();
}

}  // namespace sluice
