#include "executor.hpp"

#include <system_error>
#include <utility>

#include "worker_pool.hpp"

namespace sluice {
namespace detail {
namespace {

const executor_options& checked(const executor_options& options) {
  const auto invalid = std::make_error_code(std::errc::invalid_argument);
  if (options.threads == 0) throw std::system_error(invalid, "sluice::loop: executor_options::threads is 0; at least 1 is needed");
  if (options.name_resolution_threads == 0)
    throw std::system_error(invalid, "sluice::loop: executor_options::name_resolution_threads is 0; at least 1 is needed");
  return options;
}

}  // namespace

executor::executor(loop& owner, std::shared_ptr<mailbox> mail, const executor_options& options)
    : owner_(owner),
      pool_(std::make_shared<worker_pool>(std::move(mail), &executor::complete, checked(options))),
      patience_(options.join) {}

executor_job executor::start(std::shared_ptr<job> work, job_lane lane) { return start_at(place::pool, std::move(work), lane); }

executor_job executor::start_in_thread(std::shared_ptr<job> work) {
  return start_at(place::own_thread, std::move(work), job_lane::general);
}

executor_job executor::start_at(place where, std::shared_ptr<job> work, job_lane lane) {
  if (closed_) return {};
  work->lane_ = lane;
  remember(work);
  try {
    where == place::pool ? pool_->add(work, lane) : pool_->add_with_thread(work);
  } catch (const std::system_error&) {
    work->fail(std::current_exception());
    work->drop_work();
    pool_->post_end(work);
  } catch (...) {
    forget(*work)->drop_completion();  // nobody will ever end it
    throw;
  }
  return executor_job(std::move(work));
}

bool executor::cancel(job& queued) {
  executor* const home = queued.home_;
  if (home == nullptr || home->owner_.is_foreign("executor_job::cancel") || !home->pool_->take_back(queued, queued.lane_)) return false;
  const std::shared_ptr<job> last = home->forget(queued);
  last->drop_completion();
  last->drop_work();
  return true;
}

void executor::abandon(job& given_up) {
  executor* const home = given_up.home_;
  if (home == nullptr || home->owner_.is_foreign("executor_job::abandon") || cancel(given_up)) return;
  home->forget(given_up)->drop_completion();
}

void executor::shut_down() noexcept {
  refuse();
  while (!jobs_.empty()) forget(*jobs_.back())->drop_completion();
  pool_->end(patience_);
}

void executor::remember(const std::shared_ptr<job>& work) {
  jobs_.push_back(work);
  work->index_ = jobs_.size() - 1;
  work->home_ = this;
  ++started_;
}

std::shared_ptr<job> executor::forget(job& ended) noexcept {
  ended.home_ = nullptr;
  jobs_[ended.index_].swap(jobs_.back());
  jobs_[ended.index_]->index_ = ended.index_;
  std::shared_ptr<job> last = std::move(jobs_.back());
  jobs_.pop_back();
  return last;
}

// What the threads post. An abandoned job has no home any more.
void executor::complete(job& ended) {
  if (ended.home_ == nullptr) return;
  const std::shared_ptr<job> last = ended.home_->forget(ended);
  last->complete();
}

}  // namespace detail

executor_job::executor_job(std::shared_ptr<detail::job> job) noexcept : job_(std::move(job)) {}

executor_job::operator bool() const noexcept { return job_ != nullptr && detail::executor::is_waiting(*job_); }

bool executor_job::cancel() { return job_ != nullptr && detail::executor::cancel(*job_); }

void executor_job::abandon() {
  if (job_ != nullptr) detail::executor::abandon(*job_);
}

}  // namespace sluice
