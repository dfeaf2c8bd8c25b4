#include "worker_pool.hpp"

#include <csignal>

#include <algorithm>
#include <utility>

#include <sluice/detail/job.hpp>
#include <sluice/detail/time_span.hpp>

#include "mailbox.hpp"

namespace sluice::detail {
namespace {

// Threads inherit the mask of their maker: signals are for the program's own threads, not for these.
class all_signals_blocked {
 public:
  all_signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  all_signals_blocked(const all_signals_blocked&) = delete;
  all_signals_blocked& operator=(const all_signals_blocked&) = delete;
  ~all_signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

std::size_t index_of(job_lane lane) noexcept { return static_cast<std::size_t>(lane); }

}  // namespace

worker_pool::worker_pool(std::shared_ptr<mailbox> mail, end_handler on_end, const executor_options& options)
    : mail_(std::move(mail)), on_end_(on_end), most_threads_(options.threads) {
  lanes_[index_of(job_lane::general)].limit = options.threads;
  lanes_[index_of(job_lane::name_resolution)].limit = options.name_resolution_threads;
}

std::size_t worker_pool::lane_state::startable() const noexcept { return std::min(waiting.size(), limit - running); }

void worker_pool::add(const std::shared_ptr<job>& work, job_lane lane) {
  bool short_of_threads = false;
  {
    const std::lock_guard lock(mutex_);
    lanes_[index_of(lane)].waiting.push_back({work, next_order_++});
    short_of_threads = needs_thread();
  }
  if (!short_of_threads) {
    work_added_.notify_one();
    return;
  }
  try {
    make_thread(kind::pooled, [this](worker& self) { serve(self); });
  } catch (...) {
    if (pooled_ == 0 && take_back(*work, lane)) throw;  // else one of the threads that there are takes it in its time
  }
}

void worker_pool::add_with_thread(const std::shared_ptr<job>& work) {
  make_thread(kind::single, [this, work = work](worker& self) mutable { serve_once(self, std::move(work)); });
}

bool worker_pool::take_back(const job& queued, job_lane lane) {
  std::shared_ptr<job> found;  // destroyed after the lock is gone
  const std::lock_guard lock(mutex_);
  auto& waiting = lanes_[index_of(lane)].waiting;
  const auto at = std::find_if(waiting.begin(), waiting.end(), [&](const lane_state::entry& one) { return one.work.get() == &queued; });
  if (at == waiting.end()) return false;
  found = std::move(at->work);
  waiting.erase(at);
  return true;
}

void worker_pool::post_end(std::shared_ptr<job> ended) {
  unique_function tell([handler = on_end_, ended = std::move(ended)] { handler(*ended); });
  mail_->post(tell, "the completion of a job");
}

template <typename F>
void worker_pool::make_thread(kind what, F main) {
  join_ended();
  std::unique_lock lock(mutex_);
  worker& fresh = workers_.emplace_back();
  try {
    const all_signals_blocked signals;
    fresh.thread = std::thread([self = shared_from_this(), main = std::move(main), &fresh]() mutable { main(fresh); });
  } catch (...) {
    workers_.pop_back();
    throw;
  }
  if (what == kind::pooled) ++pooled_;
}

// Threads of single jobs are over when their job is; the pool's own only when it ends.
void worker_pool::join_ended() {
  std::list<worker> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = workers_.begin(); at != workers_.end();) {
      const auto here = at++;
      if (here->ended) ended.splice(ended.end(), workers_, here);
    }
  }
  for (worker& one : ended) one.thread.join();
}

void worker_pool::end(std::chrono::milliseconds patience) noexcept {
  drop_queued();
  {
    std::unique_lock lock(mutex_);
    const auto all_ended = [this] { return std::all_of(workers_.begin(), workers_.end(), [](const worker& one) { return one.ended; }); };
    worker_ended_.wait_for(lock, bounded(patience), all_ended);
  }
  join_ended();
  for (worker& one : workers_) one.thread.detach();
}

void worker_pool::drop_queued() noexcept {
  decltype(lanes_) dropped;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (std::size_t i = 0; i < lanes_.size(); ++i) dropped[i].waiting.swap(lanes_[i].waiting);
  }
  work_added_.notify_all();
  for (lane_state& lane : dropped)
    for (lane_state::entry& one : lane.waiting) one.work->drop_work();
}

void worker_pool::serve(worker& self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_added_.wait(lock, [this] { return ending_ || next_lane() != nullptr; });
    --idle_;
    if (ending_) break;
    lane_state& lane = *next_lane();
    std::shared_ptr<job> work = std::move(lane.waiting.front().work);
    lane.waiting.pop_front();
    ++lane.running;
    lock.unlock();
    work->run();
    post_end(std::move(work));
    lock.lock();
    --lane.running;
  }
  self.ended = true;
  worker_ended_.notify_all();
}

void worker_pool::serve_once(worker& self, std::shared_ptr<job> work) {
  work->run();
  {
    const std::lock_guard lock(mutex_);
    self.ended = true;
    worker_ended_.notify_all();
  }
  post_end(std::move(work));
}

// The lane whose first job has waited longest, of those that may start one.
worker_pool::lane_state* worker_pool::next_lane() noexcept {
  lane_state* found = nullptr;
  for (lane_state& lane : lanes_)
    if (lane.startable() > 0 && (found == nullptr || lane.waiting.front().order < found->waiting.front().order)) found = &lane;
  return found;
}

bool worker_pool::needs_thread() const noexcept {
  std::size_t startable = 0;
  for (const lane_state& lane : lanes_) startable += lane.startable();
  return startable > idle_ && pooled_ < most_threads_;
}

}  // namespace sluice::detail
