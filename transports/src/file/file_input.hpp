#pragma once

#include <sluice/loop.hpp>

#include <memory>
#include <system_error>

#include "file_job.hpp"

namespace sluice::file {

// Reads what cannot be polled, a piece at a time, on a thread of the executor.
class file_input {
 public:
  // None of this is called from inside `start` or `stop`.
  class listener {
   public:
    virtual void file_data(const_bytes data) = 0;
    virtual void file_ended() = 0;
    virtual void file_failed(std::error_code error) = 0;

   protected:
    ~listener() = default;
  };

  file_input(loop& scheduler, descriptor from);
  file_input(const file_input&) = delete;
  file_input& operator=(const file_input&) = delete;
  ~file_input() { job_.abandon(); }

  // To be called first; `told` owns this object.
  void begin(listener& told) noexcept { told_ = &told; }
  void start();
  // What is being read is told all the same.
  void stop() noexcept { wanted_ = false; }
  int number() const noexcept { return work_->file.get(); }

 private:
  void read();
  void tell(const file_outcome& outcome);

  loop& loop_;
  listener* told_ = nullptr;
  std::shared_ptr<file_job> work_;
  executor_job job_;
  bool wanted_ = false;
};

}  // namespace sluice::file
