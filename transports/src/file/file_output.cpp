#include "file_output.hpp"

#include <sluice/error.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace sluice::file {

file_output::file_output(loop& scheduler, descriptor to) : loop_(scheduler), work_(std::make_shared<file_job>(std::move(to))) {}

// Copies what has room: the engine's memory may be gone before a thread has looked at it.
send_result file_output::send(std::span<const const_bytes> parts) {
  if (error_) return error_;
  if (job_) return {};
  work_->used = 0;
  for (const const_bytes part : parts) {
    const std::size_t n = std::min(part.size(), file_job::capacity - work_->used);
    std::memcpy(work_->buffer.get() + work_->used, part.data(), n);
    work_->used += n;
  }
  try {
    job_ = loop_.run_in_executor([work = work_] { return write_file(*work); },
                                 [this](job_result<file_outcome> outcome) {
                                   job_ = {};
                                   written(outcome ? outcome.get() : file_outcome{0, EAGAIN});  // no thread was to be had
                                 });
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
  return work_->used;
}

void file_output::written(const file_outcome& outcome) {
  if (outcome.error != 0) error_ = system_error(outcome.error);
  if (error_)
    told_->output_failed(error_);
  else if (ending_)
    told_->output_finished();
  else
    told_->output_ready();
}

progress file_output::end() {
  ending_ = true;
  return job_ ? progress::pending : progress::done;
}

void file_output::drop() noexcept { job_.abandon(); }

}  // namespace sluice::file
