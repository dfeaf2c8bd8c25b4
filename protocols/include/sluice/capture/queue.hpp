#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include <sluice/bytes.hpp>
#include <sluice/capture/record.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/scheduler.hpp>

namespace sluice::capture {

struct queue_options {
  /// Memory for records, all of it taken when the queue is made, in two halves: one is filled while the other one is written. At least 4
  /// KiB.
  std::size_t capacity = std::size_t{1024} * 1024;
  /// The most that is kept of what is read or sent at once; 0 is all. The rest is counted, and told by `record::missing_bytes`.
  std::size_t max_data = 0;
  /// The time of day at zero of the scheduler's clock. Empty: as it is when the queue is made, so that later changes of the system's date
  /// do not reorder what was recorded.
  std::optional<std::chrono::system_clock::time_point> epoch = {};
  /// Asked for the time of each record. Empty: the scheduler's `now()`, which is the same for all that happens in one turn.
  std::function<time_point()> clock = {};
};

struct queue_counters {
  struct lost {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  ///< Of their data.
  };
  std::uint64_t records = 0;  ///< That were kept.
  std::uint64_t bytes = 0;    ///< Of their data.
  lost full;                  ///< Dropped because there was no room: whoever reads the queue does not keep up.
  lost cut;                   ///< Shortened to `queue_options::max_data`; the bytes that were left out.
};

/// Records that were taken out of a queue, in the order in which they came. Belongs to whoever holds it, in any thread.
class batch {
 public:
  batch(batch&& other) noexcept = default;
  batch& operator=(batch&& other) noexcept = default;
  ~batch() = default;

  /// The first record that was not asked for yet; its views are valid as long as the batch. Nothing behind the last one.
  std::optional<record> next() noexcept;

 private:
  friend class queue;
  batch(std::unique_ptr<std::byte[]> memory, std::size_t size) noexcept : memory_(std::move(memory)), size_(size) {}

  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_;
  std::size_t at_ = 0;
};

/// Records that wait to be written, between taps and one reader: a `writer`, or code of your own. Bounded, and never in the way of the
/// connections: what does not fit is dropped and counted, and a record of its own says so in the place of what is missing.
///
/// Adding a record copies it and allocates nothing. Small and copyable; copies are one and the same queue, which lives as long as one of
/// them. Scheduler's thread only, except for a batch.
class queue {
 public:
  /// `owner` has the clock, and must exist whenever something is added. `std::invalid_argument` if the capacity is too small.
  explicit queue(scheduler& owner, queue_options options = {});
  queue(const queue&) noexcept;
  queue& operator=(const queue&) noexcept;
  ~queue();

  /// Keeps `made`, or counts it; its time is that of the call. Data of more than 64 KiB become several records.
  void add(const record& made) noexcept;
  /// As above, with the first `bytes` of `parts` for its data.
  void add(const record& made, std::span<const const_bytes> parts, std::size_t bytes) noexcept;

  /// All that is there. Nothing if that is nothing, or while an earlier batch was not given back. Allocates nothing.
  std::optional<batch> take() noexcept;
  /// The memory of a batch, for the next one.
  void give_back(batch done) noexcept;

  /// Calls `told` for each record that comes, kept or not; an empty function ends it. One listener: the last. It is called inside `add`,
  /// must not throw, and should only note that there is something to do.
  void on_records(std::function<void()> told);

  /// Bytes of memory that wait to be taken; half of the capacity at most.
  std::size_t size() const noexcept;
  /// Half of that is used: time to take it.
  bool is_urgent() const noexcept;
  const queue_counters& counters() const noexcept;

 private:
  class state;
  detail::local_ptr<state> state_;
};

}  // namespace sluice::capture
