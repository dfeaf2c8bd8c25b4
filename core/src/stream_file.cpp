#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <new>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include "outgoing_file.hpp"
#include "stream_parts.hpp"

// Sending a file (rules H1, H2): by the channel where it can, else read here and sent as what is written is.

namespace sluice {
namespace {

// The length of the range, with `to_the_end` resolved, if it is in the file.
std::error_code check_range(int file, std::uint64_t offset, std::uint64_t& count) noexcept {
  struct stat found {};
  if (::fstat(file, &found) != 0) return system_error(errno);
  if (!S_ISREG(found.st_mode)) return errc::not_a_file;
  const auto size = static_cast<std::uint64_t>(found.st_size);
  if (offset > size) return errc::file_too_short;
  if (count == to_the_end) count = size - offset;
  return count > size - offset ? errc::file_too_short : std::error_code();
}

}  // namespace

void file_reader::run() noexcept {
  ssize_t n = 0;
  do n = ::pread(file_.get(), buffer_.get(), wanted_, static_cast<off_t>(offset_));
  while (n < 0 && errno == EINTR);
  error_ = n < 0 ? errno : 0;
  size_ = n < 0 ? 0 : static_cast<std::size_t>(n);
}

// No thread was to be had.
void file_reader::fail(std::exception_ptr) noexcept {
  error_ = EAGAIN;
  size_ = 0;
}

stream_transport::rare_state::rare_state() = default;
stream_transport::rare_state::~rare_state() = default;

std::error_code stream_transport::send_file(descriptor file, std::uint64_t offset, std::uint64_t count, send_file_handler done) {
  if (scheduler_->wrong_thread("transport::send_file")) return errc::misuse;
  const cork_guard turn(*scheduler_);
  flush();  // what this turn wrote goes first; may call `pause_writing`, and end the connection
  if (!machine_.takes_output()) {
    drop_write();
    return errc::closed;
  }
  if (rare_ != nullptr && rare_->file != nullptr) {
    scheduler_->report_misuse(id(), "send_file while another file is being sent: wait until its completion is called");
    return errc::misuse;
  }
  if (switch_pending() && rare_->next->between != nullptr) {
    scheduler_->report_misuse(id(), "send_file behind upgrade: the layer could not send");
    return errc::misuse;
  }
  if (const std::error_code error = check_range(file.get(), offset, count)) return error;
  return begin_file(std::move(file), offset, count, std::move(done));
}

std::error_code stream_transport::begin_file(descriptor file, std::uint64_t offset, std::uint64_t count, send_file_handler done) {
  try {
    const std::uint64_t first = counters_.bytes_sent + queue_.size();
    rare().file = std::make_unique<outgoing_file>(std::move(file), offset, count, first, std::move(done));
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
  set(sending_file);
  set(file_waits);
  after_drain();
  return {};
}

std::size_t stream_transport::unread_of_file() const noexcept {
  if (!sends_file()) return 0;
  return static_cast<std::size_t>(std::min<std::uint64_t>(rare_->file->unread, std::numeric_limits<std::size_t>::max() / 2));
}

// Called whenever something may have become possible: output was taken, a piece was read.
void stream_transport::continue_file() {
  using stage = outgoing_file::stage;
  if (rare_->file->where == stage::offered && queue_.empty()) offer_file();
  if (!sends_file()) return;
  outgoing_file& file = *rare_->file;
  if (file.sent(counters_.bytes_sent) == file.count)
    end_file({});
  else if (file.where == stage::idle && file.unread > 0 && queue_.size() <= options_->write_buffer.low &&
           (options_->max_write_buffer == 0 || queue_.size() < options_->max_write_buffer))
    start_reading_file();
  if (!sends_file()) update();
}

void stream_transport::offer_file() {
  outgoing_file& file = *rare_->file;
  std::size_t sent = 0;
  while (file.unread > 0 && sent < most_per_turn) {
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(file.unread, most_per_turn - sent));
    const send_result result = send_from_file(file.file.get(), file.at, most);
    if (result.failed()) {
      if (result.error() == errc::not_supported) return read_file();
      return result.error() == condition::peer_gone ? fail_output(result.error()) : abort_with(result.error());
    }
    if (result.taken() == 0) break;
    counters_.bytes_sent += result.taken();
    ++counters_.sends;
    file.at += result.taken();
    file.unread -= result.taken();
    sent += result.taken();
  }
  if (file.unread > 0) send_later({});
}

// The channel cannot.
void stream_transport::read_file() {
  set(file_waits, false);
  outgoing_file& file = *rare_->file;
  try {
    file.reader = std::make_shared<file_reader>(std::move(file.file), this,
                                                [](void* self) { static_cast<stream_transport*>(self)->file_was_read(); });
  } catch (const std::bad_alloc&) {
    return abort_with(make_error_code(std::errc::not_enough_memory));
  }
  file.threads = dynamic_cast<loop*>(scheduler_);
  file.where = outgoing_file::stage::idle;
}

void stream_transport::start_reading_file() {
  outgoing_file& file = *rare_->file;
  const std::uint64_t room = options_->max_write_buffer == 0 ? file.unread : options_->max_write_buffer - queue_.size();
  file.reader->want(file.at, static_cast<std::size_t>(std::min<std::uint64_t>({file.unread, room, file_reader::piece})));
  file.where = outgoing_file::stage::reading;
  if (file.threads == nullptr) {
    scheduler_->defer(*this);
    return;
  }
  try {
    file.job = file.threads->start_job(file.reader, job_lane::general);
  } catch (const std::bad_alloc&) {
    abort_with(make_error_code(std::errc::not_enough_memory));
  }
}

void stream_transport::file_was_read() {
  const cork_guard turn(*scheduler_);
  outgoing_file& file = *rare_->file;
  file.job = {};
  file.where = outgoing_file::stage::idle;
  const const_bytes data = file.reader->data();
  if (data.empty()) {
    abort_with(file.reader->error() != 0 ? system_error(file.reader->error()) : errc::file_too_short);
    return;
  }
  file.at += data.size();
  file.unread -= data.size();
  if (queue_.empty())
    send_parts({&data, 1});
  else
    enqueue({&data, 1}, 0);
  after_drain();
}

// Whatever the reason: its place in the output is free, and its completion is told in a turn of its own.
void stream_transport::end_file(std::error_code error) noexcept {
  outgoing_file& file = *rare_->file;
  set(sending_file, false);
  set(file_waits, false);
  file.job.abandon();
  file.taken = std::min(file.sent(counters_.bytes_sent), file.count);
  file.error = error;
  file.where = outgoing_file::stage::ended;
  scheduler_->defer(*this);
}

void stream_transport::tell_file() {
  if (rare_ == nullptr || rare_->file == nullptr) return;
  if (rare_->file->where == outgoing_file::stage::reading && rare_->file->threads == nullptr) {
    rare_->file->reader->run();
    file_was_read();
    return;
  }
  if (rare_->file->where != outgoing_file::stage::ended) return;
  const std::unique_ptr<outgoing_file> ended = std::move(rare_->file);
  if (ended->done) guarded("send_file", [&] { ended->done(ended->error, ended->taken); });
}

write_status stream_transport::refuse_beside_file() noexcept {
  ++scheduler_->counters_.dropped_writes;
  if (!std::exchange(rare_->file->refusal_told, true))
    scheduler_->report_misuse(id(), "write while a file is being sent: wait for resume_writing or for the completion of send_file");
  return write_status::dropped;
}

send_result stream_transport::send_from_file(int, std::uint64_t, std::size_t) { return make_error_code(errc::not_supported); }

}  // namespace sluice
