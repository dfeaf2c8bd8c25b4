#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace sluice {

namespace detail {
class executor;
class job;
template <typename Work, typename Completion>
class typed_job;
}  // namespace detail

/// What work on another thread came to: the value that it returned, or the exception that it threw. Can be moved, not copied.
template <typename T>
class job_result {
  static_assert(std::is_void_v<T> || std::is_object_v<T>, "work returns a value or nothing: what would a reference refer to?");
  struct nothing {};
  using outcome = std::variant<std::monostate, std::conditional_t<std::is_void_v<T>, nothing, T>, std::exception_ptr>;

 public:
  job_result(job_result&&) noexcept(std::is_nothrow_move_constructible_v<outcome>) = default;
  job_result& operator=(job_result&&) noexcept(std::is_nothrow_move_assignable_v<outcome>) = default;

  /// The work returned and did not throw.
  explicit operator bool() const noexcept { return outcome_.index() == 1; }
  /// What the work threw, else null.
  std::exception_ptr exception() const noexcept { return outcome_.index() == 2 ? std::get<2>(outcome_) : nullptr; }
  /// The value, moved out of here, or throws what the work threw, as `std::future::get` does.
  T get() {
    if (outcome_.index() == 2) std::rethrow_exception(std::get<2>(outcome_));
    if constexpr (!std::is_void_v<T>) return std::move(std::get<1>(outcome_));
  }

 private:
  template <typename Work, typename Completion>
  friend class detail::typed_job;

  job_result() = default;

  outcome outcome_;
};

/// Jobs of one lane start in the order in which they were given, and at most so many of them run at a time.
enum class job_lane : std::uint8_t {
  general,         ///< As many as there are threads.
  name_resolution  ///< `executor_options::name_resolution_threads`, so that a name server that does not answer leaves threads to the rest.
};

/// Settings of the threads behind `loop::run_in_executor` and `loop::run_in_thread`.
struct executor_options {
  /// Most threads of the pool. Each is made when there is work for it and none is idle, and stays until the loop ends. At least 1.
  unsigned threads = 4;
  /// How many of them may resolve names at a time. At least 1.
  unsigned name_resolution_threads = 2;
  /// How long the destructor of the loop waits for work that is still running. What runs longer is left behind: its thread goes on to the
  /// end of the work, or of the process, and touches nothing of the loop.
  std::chrono::milliseconds join = std::chrono::seconds(5);
};

/// What `run_in_executor` gave away: a handle on one job. Move-only; destroying it changes nothing, the job goes on and its completion is
/// called. Loop's thread only.
class executor_job {
 public:
  /// Refers to nothing.
  executor_job() noexcept = default;
  executor_job(executor_job&&) noexcept = default;
  executor_job& operator=(executor_job&&) noexcept = default;

  /// True from the start of the job until its completion is called, it is cancelled or abandoned, or the loop ends. False from the
  /// beginning if the job was refused, because its loop is being destroyed.
  explicit operator bool() const noexcept;

  /// Takes the job out of the queue: neither work nor completion is called. False, and nothing changes, once a thread has begun it.
  bool cancel();

  /// Gives the job up: its completion is destroyed uncalled, at once. Work that a thread has begun runs to its end, and keeps its thread
  /// until then, but no longer keeps `loop::run` from returning; work that is still queued is cancelled.
  void abandon();

 private:
  friend class detail::executor;
  explicit executor_job(std::shared_ptr<detail::job> job) noexcept;

  std::shared_ptr<detail::job> job_;
};

}  // namespace sluice
