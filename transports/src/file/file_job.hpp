#pragma once

#include <sluice/bytes.hpp>
#include <sluice/descriptor.hpp>

#include <cstddef>
#include <memory>

namespace sluice::file {

// What a thread works on: shared with it, so that a file is not closed and memory not freed under a call of the system that is running.
struct file_job {
  static constexpr std::size_t capacity = 64 * 1024;

  explicit file_job(descriptor opened) : file(std::move(opened)), buffer(std::make_unique_for_overwrite<std::byte[]>(capacity)) {}

  descriptor file;
  std::unique_ptr<std::byte[]> buffer;
  std::size_t used = 0;  // bytes to write
};

// What became of a call: bytes, or an errno.
struct file_outcome {
  std::size_t bytes = 0;
  int error = 0;
};

// Both block. All of `used` is written, or it is an error.
file_outcome read_file(file_job& job) noexcept;
file_outcome write_file(const file_job& job) noexcept;

}  // namespace sluice::file
