#include "line_watch.hpp"

#include <algorithm>
#include <utility>

namespace sluice::serial {
namespace {

constexpr duration shortest_interval = std::chrono::milliseconds(1);

modem_lines difference(const modem_lines& a, const modem_lines& b) noexcept {
  return {a.dtr != b.dtr, a.rts != b.rts, a.cts != b.cts, a.dsr != b.dsr, a.ring != b.ring, a.carrier != b.carrier};
}

// A pulse shorter than the interval leaves the level as it was, and counts.
void add_counted(modem_lines& changed, const line_counters& counted) noexcept {
  changed.cts = changed.cts || counted.cts_changes != 0;
  changed.dsr = changed.dsr || counted.dsr_changes != 0;
  changed.ring = changed.ring || counted.ring_changes != 0;
  changed.carrier = changed.carrier || counted.carrier_changes != 0;
}

std::optional<line_counters> counters_of(device& line) {
  const auto found = line.counters();
  return found ? std::optional(*found) : std::nullopt;
}

}  // namespace

line_watch::line_watch(scheduler& owner, device& line) : line_(line), poll_(owner, [this] { look(); }) {}

std::error_code line_watch::subscribe(std::function<void(const lines_changed&)> told, duration interval) {
  stop();
  if (!told) return {};
  const auto now = line_.lines();
  if (!now) return now.error();
  last_ = *now;
  last_counters_ = counters_of(line_);
  told_ = std::move(told);
  interval_ = std::max(interval, shortest_interval);
  poll_.start(interval_);
  return {};
}

void line_watch::stop() noexcept {
  poll_.stop();
  told_ = nullptr;
}

// A device that is gone says so to the channel; nobody asks again then. The subscriber may replace itself.
void line_watch::look() {
  const auto now = line_.lines();
  if (!now) return;
  poll_.start(interval_);
  modem_lines changed = difference(*now, std::exchange(last_, *now));
  if (const auto counters = counters_of(line_); counters && last_counters_) {
    add_counted(changed, *counters - *last_counters_);
    last_counters_ = counters;
  }
  if (changed == modem_lines()) return;
  const auto told = told_;
  told({*now, changed});
}

}  // namespace sluice::serial
