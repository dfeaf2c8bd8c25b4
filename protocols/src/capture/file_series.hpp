#pragma once

#include <sluice/capture/pcapng_encoder.hpp>
#include <sluice/capture/queue.hpp>
#include <sluice/capture/writer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace sluice::capture {

// The files of one writer, and the batch that goes into them. Used by one thread at a time: the writer's, or the one that does its work.
class file_series {
 public:
  explicit file_series(writer_options options) : options_(std::move(options)) {}

  // Begins the first file.
  void open() noexcept;

  // What is to be written next; `last`: and then no more.
  void give(std::optional<batch> work, bool last) noexcept {
    work_ = std::move(work);
    last_ = last;
    is_pending_ = true;
  }
  void write() noexcept;
  // It was given and is not written.
  bool is_pending() const noexcept { return is_pending_; }
  std::optional<batch> take_back() noexcept { return std::exchange(work_, std::nullopt); }

  bool is_closed() const noexcept { return file_ == nullptr; }
  std::error_code error() const noexcept { return error_; }
  // Which file it was.
  const std::string& failed_path() const noexcept { return failed_path_; }
  const writer_counters& counters() const noexcept { return counters_; }

 private:
  struct closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  template <typename Function>
  void guarded(Function function) noexcept;
  void write_batch();
  void put(const record& made);
  void encode(const record& made);
  bool must_rotate(const record& made) const noexcept;
  void next_file();
  void move_older();
  void begin_file();
  void write_out();
  void fail(std::error_code error, const std::string& path) noexcept;

  const writer_options options_;
  pcapng_encoder encoder_;
  std::unique_ptr<std::FILE, closer> file_;
  std::optional<batch> work_;
  std::string pending_;                // made, and not in the file yet
  std::uint64_t size_ = 0;             // of the file, without that
  std::uint64_t records_in_file_ = 0;  // with that
  std::uint64_t records_pending_ = 0;
  std::chrono::nanoseconds first_{0};  // time of the first record in the file
  writer_counters counters_;
  std::error_code error_;
  std::string failed_path_;
  bool last_ = false;
  bool is_pending_ = false;
};

}  // namespace sluice::capture
