#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include <sluice/executor.hpp>

namespace sluice::detail {

class mailbox;

// Threads and the jobs that wait for them. Threads share it with the loop, so that one that was left behind touches nothing freed. Every
// function is for the loop's thread; what threads call is private.
class worker_pool : public std::enable_shared_from_this<worker_pool> {
 public:
  // What is posted to the loop when the work of a job is done.
  using end_handler = void (*)(job&);

  worker_pool(std::shared_ptr<mailbox> mail, end_handler on_end, const executor_options& options);

  // Both throw std::system_error, without taking the job, if a thread is needed for it and cannot be made.
  void add(const std::shared_ptr<job>& work, job_lane lane);
  void add_with_thread(const std::shared_ptr<job>& work);
  // False once a thread has begun it.
  bool take_back(const job& queued, job_lane lane);
  // Posts the end of a job, whose work was done elsewhere or not at all.
  void post_end(std::shared_ptr<job> ended);
  // Drops what is queued, waits for the threads, and leaves behind those that are still at work when `patience` is over.
  void end(std::chrono::milliseconds patience) noexcept;

 private:
  struct lane_state {
    struct entry {
      std::shared_ptr<job> work;
      std::uint64_t order;
    };
    std::deque<entry> waiting;
    std::size_t running = 0;
    std::size_t limit = 0;

    std::size_t startable() const noexcept;
  };
  struct worker {
    std::thread thread;
    bool ended = false;  // will not lock again
  };
  enum class kind : bool {
    pooled,
    single
  };

  template <typename F>
  void make_thread(kind what, F main);
  void join_ended();
  void drop_queued() noexcept;
  void serve(worker& self);
  void serve_once(worker& self, std::shared_ptr<job> work);
  lane_state* next_lane() noexcept;
  bool needs_thread() const noexcept;

  const std::shared_ptr<mailbox> mail_;
  const end_handler on_end_;
  const std::size_t most_threads_;

  std::mutex mutex_;  // guards what follows, but for the threads themselves, which are the loop's
  std::condition_variable work_added_;
  std::condition_variable worker_ended_;
  std::array<lane_state, 2> lanes_;
  std::list<worker> workers_;
  std::uint64_t next_order_ = 0;
  std::size_t pooled_ = 0;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace sluice::detail
