#include "capture/file_series.hpp"

#include <cerrno>
#include <filesystem>
#include <new>
#include <string_view>

#include <sluice/capture/text.hpp>
#include <sluice/error.hpp>

namespace sluice::capture {
namespace {

constexpr std::size_t enough = std::size_t{256} * 1024;  // for one call of the system

}  // namespace

std::string older_file(std::string_view path, unsigned number) {
  const std::size_t name = path.find_last_of('/') + 1;  // 0 where there is none
  const std::size_t dot = path.find_last_of('.');
  const std::size_t end = dot == path.npos || dot <= name ? path.size() : dot;
  return std::string(path.substr(0, end)).append(".").append(std::to_string(number)).append(path.substr(end));
}

template <typename Function>
void file_series::guarded(Function function) noexcept {
  try {
    function();
  } catch (const std::bad_alloc&) {
    fail(make_error_code(std::errc::not_enough_memory), options_.path);
  } catch (const std::system_error& error) {
    fail(error.code(), options_.path);
  }
}

void file_series::open() noexcept {
  guarded([this] {
    next_file();
    if (!error_) write_out();
  });
}

void file_series::write() noexcept {
  guarded([this] { write_batch(); });
  if (error_ && work_)
    while (work_->next()) ++counters_.not_written;
  if (last_) file_.reset();
  is_pending_ = false;
}

void file_series::write_batch() {
  if (!work_ || error_) return;
  while (const auto made = work_->next()) {
    put(*made);
    if (error_) return;
  }
  write_out();
}

// One that is pending when something fails is counted as lost.
void file_series::put(const record& made) {
  const std::size_t before = pending_.size();
  ++records_pending_;
  encode(made);
  if (must_rotate(made)) {
    pending_.resize(before);
    --records_pending_;
    write_out();
    ++records_pending_;
    if (!error_) next_file();
    if (error_) {
      counters_.not_written += std::exchange(records_pending_, 0);
      return;
    }
    encode(made);
  }
  if (records_in_file_++ == 0) first_ = made.time;
  if (pending_.size() >= enough) write_out();
}

void file_series::next_file() {
  file_.reset();
  move_older();
  if (!error_) begin_file();
}

void file_series::encode(const record& made) {
  switch (options_.format) {
    case file_format::pcapng: encoder_.append(pending_, made); break;
    case file_format::text: append_text(pending_, made); break;
  }
}

bool file_series::must_rotate(const record& made) const noexcept {
  if (records_in_file_ == 0) return false;
  if (options_.max_size != 0 && size_ + pending_.size() > options_.max_size) return true;
  return options_.max_age.count() != 0 && made.time - first_ >= options_.max_age;
}

// Each gets the next number; the last one is overwritten. Without any the file itself is, when it is opened.
void file_series::move_older() {
  for (unsigned number = options_.keep; number > 0; --number) {
    const std::string from = number == 1 ? options_.path : older_file(options_.path, number - 1);
    std::error_code error;
    std::filesystem::rename(from, older_file(options_.path, number), error);
    if (error && error != std::errc::no_such_file_or_directory) return fail(system_error(error.value()), from);
  }
}

void file_series::begin_file() {
  errno = 0;
  file_.reset(std::fopen(options_.path.c_str(), "wbe"));
  if (file_ == nullptr) return fail(system_error(errno), options_.path);
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);  // we collect ourselves
  ++counters_.files;
  size_ = 0;
  records_in_file_ = 0;
  if (options_.format == file_format::pcapng) encoder_.begin(pending_);
}

void file_series::write_out() {
  if (pending_.empty()) return;
  errno = 0;
  const std::size_t written = std::fwrite(pending_.data(), 1, pending_.size(), file_.get());
  counters_.bytes += written;
  if (written != pending_.size()) return fail(system_error(errno != 0 ? errno : EIO), options_.path);
  size_ += written;
  counters_.records += std::exchange(records_pending_, 0);
  pending_.clear();
}

void file_series::fail(std::error_code error, const std::string& path) noexcept {
  error_ = error;
  counters_.not_written += std::exchange(records_pending_, 0);
  pending_.clear();
  file_.reset();
  try {
    failed_path_ = path;
  } catch (const std::bad_alloc&) {
    failed_path_.clear();
  }
}

}  // namespace sluice::capture
