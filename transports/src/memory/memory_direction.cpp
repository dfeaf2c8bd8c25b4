#include "memory_direction.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sluice::memory {
namespace {

constexpr std::size_t usual_segments = 32;  // as many as are on their way where nothing is late on purpose

pattern one_number(std::size_t limit) { return limit == 0 ? pattern() : pattern({limit}); }

}  // namespace

direction::direction(const options& settings)
    : latency(settings.latency),
      send_limits(one_number(settings.max_send)),
      receive_limits(one_number(settings.max_receive)),
      capacity_(settings.capacity),
      window_(settings.window),
      ring_(std::make_unique_for_overwrite<std::byte[]>(settings.capacity)) {
  segments_.reserve(usual_segments);
}

std::size_t direction::write(std::span<const const_bytes> parts, std::size_t most, time_point arrives) {
  most = std::min(most, room());
  if (failure_ != stage::none) return swallow(parts, most);
  const std::uint64_t before = written_;
  for (const const_bytes part : parts) {
    const std::size_t n = std::min(part.size(), most);
    append(part.first(n));
    most -= n;
  }
  if (written_ != before) add_segment(in_order(arrives));
  return static_cast<std::size_t>(written_ - before);
}

// What follows a failure arrives nowhere, and the sender does not know it yet.
std::size_t direction::swallow(std::span<const const_bytes> parts, std::size_t most) noexcept {
  std::size_t total = 0;
  for (const const_bytes part : parts) total += part.size();
  swallowed_ = true;
  return std::min(total, most);
}

void direction::append(const_bytes data) noexcept {
  while (!data.empty()) {
    const std::size_t at = written_ % capacity_;
    const std::size_t n = std::min(data.size(), capacity_ - at);
    std::memcpy(ring_.get() + at, data.data(), n);
    written_ += n;
    data = data.subspan(n);
  }
}

void direction::add_segment(time_point arrives) noexcept {
  const bool any = first_segment_ != segments_.size();
  if (any && segments_.back().arrives == arrives) {
    segments_.back().end = written_;
    return;
  }
  if (first_segment_ > segments_.size() / 2) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_segment_));
    first_segment_ = 0;
  }
  try {
    segments_.push_back({written_, arrives});
  } catch (const std::bad_alloc&) {
    segments_.back() = {written_, arrives};  // there are some, all that there is room for: what they hold comes a little late
  }
}

void direction::end(time_point arrives) noexcept {
  if (end_ != stage::none || failure_ != stage::none) return;
  end_ = stage::travelling;
  end_arrives_ = in_order(arrives);
}

void direction::fail(std::error_code error, time_point arrives) noexcept {
  if (failure_ != stage::none) return;
  failure_ = stage::travelling;
  failure_arrives_ = in_order(arrives);
  error_ = error;
  if (size() <= window_) return;
  written_ = read_ + window_;
  arrived_ = std::min(arrived_, written_);
  end_ = stage::none;  // it was behind what is destroyed
  for (segment& travelling : segments_) travelling.end = std::min(travelling.end, written_);
}

time_point direction::in_order(time_point arrives) noexcept { return last_arrival_ = std::max(last_arrival_, arrives); }

void direction::settle(time_point now) noexcept {
  if (cut) return;
  for (; first_segment_ != segments_.size() && segments_[first_segment_].arrives <= now; ++first_segment_)
    arrived_ = segments_[first_segment_].end;
  if (first_segment_ == segments_.size()) {
    segments_.clear();
    first_segment_ = 0;
  }
  if (end_ == stage::travelling && end_arrives_ <= now) end_ = stage::arrived;
  if (failure_ == stage::travelling && failure_arrives_ <= now) failure_ = stage::arrived;
}

time_point direction::next_arrival() const noexcept {
  time_point earliest = time_point::max();
  if (cut) return earliest;
  if (first_segment_ != segments_.size()) earliest = segments_[first_segment_].arrives;
  if (end_ == stage::travelling) earliest = std::min(earliest, end_arrives_);
  if (failure_ == stage::travelling) earliest = std::min(earliest, failure_arrives_);
  return earliest;
}

std::size_t direction::read(mutable_bytes into) noexcept {
  const std::size_t total = std::min(into.size(), readable());
  for (std::size_t done = 0; done < total;) {
    const std::size_t at = read_ % capacity_;
    const std::size_t n = std::min(total - done, capacity_ - at);
    std::memcpy(into.data() + done, ring_.get() + at, n);
    read_ += n;
    done += n;
  }
  return total;
}

void direction::discard() noexcept {
  arrived_ = read_ = written_;
  swallowed_ = false;
  segments_.clear();
  first_segment_ = 0;
}

}  // namespace sluice::memory
