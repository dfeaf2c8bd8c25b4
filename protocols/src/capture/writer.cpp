#include <sluice/capture/writer.hpp>

#include <iterator>
#include <new>
#include <stdexcept>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>

#include "capture/file_series.hpp"

namespace sluice::capture {
namespace {

constexpr unsigned most_older_files = 10'000;

// What another thread may copy and destroy.
writer_options without_handler(writer_options options) {
  options.on_failure = {};
  return options;
}

}  // namespace

writer::writer(scheduler& owner, const queue& from, writer_options options)
    : owner_(owner),
      threads_(dynamic_cast<loop*>(&owner)),
      records_(from),
      options_(std::move(options)),
      files_(std::make_shared<file_series>(without_handler(options_))),
      next_(owner, [this] { begin(); }) {
  if (options_.path.empty()) throw std::invalid_argument("sluice::capture::writer: no path was given");
  if (options_.keep > most_older_files) throw std::invalid_argument("sluice::capture::writer: more than 10000 older files are to be kept");
  files_->open();
  if (files_->error()) throw std::system_error(files_->error(), files_->failed_path());
  counters_ = files_->counters();
  records_.on_records([this] { records_came(); });
  if (records_.size() != 0) records_came();
}

writer::~writer() {
  records_.on_records({});
  if (working_) wait_for_work();
  if (!files_->is_closed()) {
    files_->give(records_.take(), true);
    files_->write();
    give_back();
  }
  if (files_->error() && !error_) tell_failure();
}

void writer::flush(done_handler done) { ask(std::move(done)); }

void writer::close(done_handler done) {
  if (stage_ == stage::open) {
    stage_ = stage::closing;
    records_.on_records({});
  }
  ask(std::move(done));
}

void writer::ask(done_handler done) {
  if (done) asked_.push_back(std::move(done));
  if (stage_ == stage::closed)
    tell(asked_);
  else if (!working_)
    next_.start(duration::zero());
}

// In the middle of somebody else's event. Without memory for the timer, the next record tries again.
void writer::records_came() noexcept {
  if (working_ || (next_.is_running() && (hurries_ || !records_.is_urgent()))) return;
  try {
    hurries_ = records_.is_urgent();
    next_.start(hurries_ ? std::chrono::milliseconds(0) : options_.delay);
  } catch (const std::bad_alloc&) {
    hurries_ = false;
  }
}

void writer::begin() {
  hurries_ = false;
  served_ = std::move(asked_);
  asked_.clear();
  const bool last = stage_ == stage::closing;
  auto work = records_.take();
  if (!work && !last) return tell(served_);
  files_->give(std::move(work), last);
  working_ = true;
  start_work();
}

void writer::start_work() {
  if (threads_ != nullptr) try {
      std::promise<void> promise;
      over_ = promise.get_future();
      job_ = threads_->run_in_executor(
          [files = files_, over = std::move(promise)]() mutable {
            files->write();
            over.set_value();
          },
          [this](const job_result<void>& done) {
            if (!done) files_->write();  // no thread was to be had
            work_ended();
          });
      return;
    } catch (const std::bad_alloc&) {
      over_ = {};  // it is done here
    }
  files_->write();
  work_ended();
}

void writer::work_ended() {
  working_ = false;
  give_back();
  if (files_->error())
    fail();
  else if (files_->is_closed())
    stage_ = stage::closed;
  tell(served_);
  if (stage_ == stage::closed) return tell(asked_);
  if (!asked_.empty() || stage_ == stage::closing)
    next_.start(duration::zero());
  else if (records_.size() != 0)
    records_came();
}

// Work that no thread has begun is never done there, and is over at once.
void writer::wait_for_work() noexcept {
  job_.abandon();
  if (over_.valid()) over_.wait();
  if (files_->is_pending()) files_->write();
  give_back();
}

void writer::give_back() noexcept {
  counters_ = files_->counters();
  if (auto done = files_->take_back()) records_.give_back(std::move(*done));
}

// The handler may destroy this.
void writer::fail() {
  error_ = files_->error();
  stage_ = stage::closed;
  records_.on_records({});
  if (!options_.on_failure) return;
  owner_.call_soon(
      [told = options_.on_failure, error = error_, path = files_->failed_path()] { told(error, path + ": " + error.message()); });
}

void writer::tell_failure() noexcept {
  if (!options_.on_failure) return;
  try {
    options_.on_failure(files_->error(), files_->failed_path() + ": " + files_->error().message());
  } catch (...) {
    owner_.report({error_source::scheduled, 0, sluice::errc::callback_failed, std::current_exception(), "capture::writer"});
  }
}

void writer::tell(std::vector<done_handler>& waiting) {
  for (done_handler& each : waiting) owner_.call_soon([told = std::move(each), error = error_] { told(error); });
  waiting.clear();
}

}  // namespace sluice::capture
