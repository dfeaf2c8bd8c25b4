#pragma once

#include <cstdint>

namespace sluice::detail {

enum class event : std::uint8_t {
  deferred,
  expired,
  retired  // the turn ends in which it was
};

// Something the scheduler calls later: through the queue of deferred calls, through the timer heap, or both at once. Lives inside the
// object that is to be called, so that neither costs an allocation.
struct event_node {
  using handler = void (*)(event_node&, event);
  static constexpr std::uint32_t no_timer = 0xffffffff;

  explicit event_node(handler function) noexcept : run(function) {}
  event_node(const event_node&) = delete;
  event_node& operator=(const event_node&) = delete;

  event_node* next_node = nullptr;
  handler run;
  std::uint32_t timer_index = no_timer;
  bool deferred : 1 = false;
  bool shares_turn : 1 = false;  // neighbours of this kind in one batch run in one turn
  bool retired : 1 = false;      // is called when the turn ends
  bool keeps_place : 1 = false;  // in the timer heap, also while no timer runs

 protected:
  ~event_node() = default;
};

}  // namespace sluice::detail
