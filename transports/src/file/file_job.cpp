#include "file_job.hpp"

#include <unistd.h>

#include <cerrno>

namespace sluice::file {

file_outcome read_file(file_job& job) noexcept {
  ssize_t n = 0;
  do n = ::read(job.file.get(), job.buffer.get(), file_job::capacity);
  while (n < 0 && errno == EINTR);
  return n < 0 ? file_outcome{0, errno} : file_outcome{static_cast<std::size_t>(n)};
}

file_outcome write_file(const file_job& job) noexcept {
  for (std::size_t done = 0; done < job.used;) {
    const ssize_t n = ::write(job.file.get(), job.buffer.get() + done, job.used - done);
    if (n < 0 && errno != EINTR) return {done, errno};
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return {job.used};
}

}  // namespace sluice::file
