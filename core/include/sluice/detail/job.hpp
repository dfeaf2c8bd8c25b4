#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <sluice/executor.hpp>

namespace sluice::detail {

class executor;

// Work for another thread and what follows on the loop's. The two threads share it and each touches its own half only: captures of the
// completion are never copied, called or destroyed off the loop's thread.
class job {
 public:
  job() = default;
  job(const job&) = delete;
  job& operator=(const job&) = delete;
  virtual ~job() = default;

  virtual void run() noexcept = 0;  // the worker: does the work and destroys it
  virtual void fail(std::exception_ptr error) noexcept = 0;
  virtual void complete() = 0;  // the loop: once, after `run` or `fail`
  virtual void drop_work() noexcept = 0;
  virtual void drop_completion() noexcept = 0;

 private:
  friend class executor;
  executor* home_ = nullptr;  // the loop's half: null once the completion is gone
  std::size_t index_ = 0;
  job_lane lane_{};
};

template <typename Work, typename Completion>
class typed_job final : public job {
 public:
  using value_type = std::invoke_result_t<Work&>;

  template <typename W, typename C>
  typed_job(W&& work, C&& completion) : work_(std::forward<W>(work)), completion_(std::forward<C>(completion)) {}

  void run() noexcept override {
    try {
      if constexpr (std::is_void_v<value_type>) {
        std::invoke(*work_);
        result_.outcome_.template emplace<1>();
      } else {
        result_.outcome_.template emplace<1>(std::invoke(*work_));
      }
    } catch (...) {
      fail(std::current_exception());
    }
    drop_work();
  }
  void fail(std::exception_ptr error) noexcept override { result_.outcome_.template emplace<2>(std::move(error)); }

  void complete() override {
    Completion call = std::move(*completion_);
    drop_completion();
    std::invoke(call, std::move(result_));
  }
  void drop_work() noexcept override { work_.reset(); }
  void drop_completion() noexcept override { completion_.reset(); }

 private:
  std::optional<Work> work_;
  std::optional<Completion> completion_;
  job_result<value_type> result_;
};

}  // namespace sluice::detail
