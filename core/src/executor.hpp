#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <sluice/executor.hpp>
#include <sluice/loop.hpp>

namespace sluice::detail {

class mailbox;
class worker_pool;

// The loop's half of what other threads do: which jobs still wait for their completion. Used in the loop's thread only.
class executor {
 public:
  executor(loop& owner, std::shared_ptr<mailbox> mail, const executor_options& options);

  executor_job start(std::shared_ptr<job> work, job_lane lane);
  executor_job start_in_thread(std::shared_ptr<job> work);

  // Destroys a completion uncalled, and the work too if no thread has begun it.
  static bool cancel(job& queued);
  static void abandon(job& given_up);
  static bool is_waiting(const job& asked) noexcept { return asked.home_ != nullptr; }

  std::size_t unfinished() const noexcept { return jobs_.size(); }
  std::uint64_t started() const noexcept { return started_; }
  // Takes no new jobs from now on.
  void refuse() noexcept { closed_ = true; }
  // Refuses new jobs, destroys every completion, and waits for threads until the deadline.
  void shut_down() noexcept;

 private:
  enum class place : bool {
    pool,
    own_thread
  };

  executor_job start_at(place where, std::shared_ptr<job> work, job_lane lane);
  void remember(const std::shared_ptr<job>& work);
  std::shared_ptr<job> forget(job& ended) noexcept;
  static void complete(job& ended);

  loop& owner_;
  std::shared_ptr<worker_pool> pool_;
  std::chrono::milliseconds patience_;
  std::vector<std::shared_ptr<job>> jobs_;  // each knows its index
  std::uint64_t started_ = 0;
  bool closed_ = false;
};

}  // namespace sluice::detail
