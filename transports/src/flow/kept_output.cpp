#include "kept_output.hpp"

#include <new>
#include <utility>

namespace sluice::detail {

bool kept_output::keep(const_bytes message, time_point now) {
  drop_old(now);
  if (message.size() > limits_.most_bytes || !add(message, now)) {
    counters_.dropped_full += message.size();
    return false;
  }
  while (counters_.waiting > limits_.most_bytes) forget_first(&kept_output_counters::dropped_full);
  return true;
}

// False where there is no memory.
bool kept_output::add(const_bytes bytes, time_point now) {
  try {
    waiting_.push_back({now, std::string(as_text(bytes))});
  } catch (const std::bad_alloc&) {
    return false;
  }
  counters_.waiting += bytes.size();
  return true;
}

std::optional<std::string> kept_output::take_first(time_point now) noexcept {
  drop_old(now);
  if (waiting_.empty()) return std::nullopt;
  std::string first = std::move(waiting_.front().bytes);
  waiting_.pop_front();
  counters_.waiting -= first.size();
  counters_.sent += first.size();
  return first;
}

void kept_output::drop() noexcept {
  while (!waiting_.empty()) forget_first(&kept_output_counters::dropped_at_end);
}

void kept_output::drop_old(time_point now) noexcept {
  if (limits_.longest.count() <= 0) return;
  while (!waiting_.empty() && now - waiting_.front().came > limits_.longest) forget_first(&kept_output_counters::dropped_old);
}

void kept_output::forget_first(std::uint64_t kept_output_counters::*why) noexcept {
  const std::uint64_t size = waiting_.front().bytes.size();
  counters_.waiting -= size;
  counters_.*why += size;
  waiting_.pop_front();
}

}  // namespace sluice::detail
