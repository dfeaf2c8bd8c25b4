#include <sluice/flow_control.hpp>

#include <limits>

namespace sluice {

std::optional<watermarks> resolve(const write_buffer_limits& limits, watermarks defaults) noexcept {
  constexpr auto largest = std::numeric_limits<std::size_t>::max();
  if (!limits.high && !limits.low) return defaults;
  if (!limits.high) return watermarks{*limits.low, *limits.low > largest / 4 ? largest : *limits.low * 4};
  const std::size_t low = limits.low.value_or(*limits.high / 4);
  if (low > *limits.high) return std::nullopt;
  return watermarks{low, *limits.high};
}

flow_control_machine::action flow_control_machine::evaluate(std::size_t size, watermarks marks) noexcept {
  switch (state_) {
    case state::writable:
      if (size <= marks.high) return action::none;
      state_ = state::paused;
      return action::pause;
    case state::paused:
      if (size > marks.low) return action::none;
      state_ = state::writable;
      return action::resume;
    case state::closed: return action::none;
  }
  return action::none;
}

void flow_control_machine::replaced() noexcept {
  switch (state_) {
    case state::writable:
    case state::closed: return;
    case state::paused: state_ = state::writable; return;
  }
}

}  // namespace sluice
