#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/detail/job.hpp>
#include <sluice/executor.hpp>
#include <sluice/loop.hpp>
#include <sluice/stream_transport.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

namespace sluice {

// Reads a file a piece at a time. One object for all pieces, used again once its completion was called; the thread that reads has it alone
// until then, and shares the ownership, so that neither the file is closed nor the memory freed under a call that is running.
class file_reader final : public detail::job {
 public:
  static constexpr std::size_t piece = 64 * 1024;
  using listener = void (*)(void* told);

  file_reader(descriptor file, void* told, listener on_end)
      : file_(std::move(file)), buffer_(std::make_unique_for_overwrite<std::byte[]>(piece)), told_(told), on_end_(on_end) {}

  void want(std::uint64_t offset, std::size_t most) noexcept {
    offset_ = offset;
    wanted_ = most < piece ? most : piece;
  }
  const_bytes data() const noexcept { return {buffer_.get(), size_}; }
  int error() const noexcept { return error_; }

  void run() noexcept override;
  void fail(std::exception_ptr) noexcept override;
  void complete() override {
    if (told_ != nullptr) on_end_(told_);
  }
  void drop_work() noexcept override {}
  void drop_completion() noexcept override { told_ = nullptr; }

 private:
  descriptor file_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t offset_ = 0;
  std::size_t wanted_ = 0;
  std::size_t size_ = 0;
  int error_ = 0;
  void* told_;  // the loop's half, as what follows
  listener on_end_;
};

// A range of a file on its way out. It is the last of the output: nothing is written behind it until it is gone.
struct stream_transport::outgoing_file {
  enum class stage : std::uint8_t {
    offered,  // to the channel, by the descriptor
    idle,     // pieces are queued; the next one is not wanted yet
    reading,  // the next piece
    ended     // its completion is to be told
  };

  outgoing_file(descriptor opened, std::uint64_t offset, std::uint64_t size, std::uint64_t first, send_file_handler told)
      : file(std::move(opened)), at(offset), unread(size), count(size), begin(first), done(std::move(told)) {}
  outgoing_file(const outgoing_file&) = delete;
  outgoing_file& operator=(const outgoing_file&) = delete;
  ~outgoing_file() { job.abandon(); }

  // How much of it was taken when the transport has sent `now` bytes in all.
  std::uint64_t sent(std::uint64_t now) const noexcept { return now > begin ? now - begin : 0; }

  descriptor file;       // until there is a reader
  std::uint64_t at;      // of the file: what comes next
  std::uint64_t unread;  // bytes from there on
  std::uint64_t count;
  std::uint64_t begin;  // its first byte in the stream
  send_file_handler done;
  loop* threads = nullptr;  // to read on
  std::shared_ptr<file_reader> reader;
  executor_job job;
  std::error_code error;
  std::uint64_t taken = 0;  // in the end
  stage where = stage::offered;
  bool refusal_told = false;
};

}  // namespace sluice
