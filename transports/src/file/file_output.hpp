#pragma once

#include <sluice/loop.hpp>

#include <memory>
#include <system_error>

#include "file_job.hpp"
#include "pipe/output_end.hpp"

namespace sluice::file {

// Writes to what cannot be polled, a piece at a time, on a thread of the executor.
class file_output final : public pipe::output_end {
 public:
  file_output(loop& scheduler, descriptor to);
  ~file_output() override { job_.abandon(); }

  void begin(listener& told) noexcept { told_ = &told; }

  send_result send(std::span<const const_bytes> parts) override;
  void wait() override {}  // the end of the job that is running says when
  progress end() override;
  void drop() noexcept override;

 private:
  void written(const file_outcome& outcome);

  loop& loop_;
  listener* told_ = nullptr;
  std::shared_ptr<file_job> work_;
  executor_job job_;
  std::error_code error_;
  bool ending_ = false;  // `end` waits for the job
};

}  // namespace sluice::file
