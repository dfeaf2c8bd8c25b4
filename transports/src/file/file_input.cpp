#include "file_input.hpp"

#include <sluice/error.hpp>

#include <utility>

namespace sluice::file {

file_input::file_input(loop& scheduler, descriptor from) : loop_(scheduler), work_(std::make_shared<file_job>(std::move(from))) {}

void file_input::start() {
  wanted_ = true;
  if (!job_) read();
}

void file_input::read() {
  job_ = loop_.run_in_executor([work = work_] { return read_file(*work); },
                               [this](job_result<file_outcome> outcome) {
                                 job_ = {};
                                 outcome ? tell(outcome.get()) : told_->file_failed(system_error(EAGAIN));  // no thread was to be had
                               });
}

// Who is told may stop this or start it; it is destroyed in a later turn.
void file_input::tell(const file_outcome& outcome) {
  if (outcome.error != 0) return told_->file_failed(system_error(outcome.error));
  if (outcome.bytes == 0) return told_->file_ended();
  told_->file_data({work_->buffer.get(), outcome.bytes});
  if (wanted_ && !job_) read();
}

}  // namespace sluice::file
