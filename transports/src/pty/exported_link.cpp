#include "exported_link.hpp"

#include <sluice/error.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <utility>

namespace sluice::pty {
namespace {

std::string target_of(const std::string& path) noexcept {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

// The file system of the link may know whole seconds only.
bool is_before(timespec link, const timespec& terminal) noexcept {
  if (link.tv_nsec == 0) ++link.tv_sec;
  return link.tv_sec != terminal.tv_sec ? link.tv_sec < terminal.tv_sec : link.tv_nsec < terminal.tv_nsec;
}

// A link whose terminal is gone, or whose number was given away again since: to us, or to another, whose terminal is younger than the link.
bool is_stale(const std::string& path, const std::string& target) noexcept {
  struct stat link {};
  struct stat terminal {};
  const std::string found = target_of(path);
  if (found.empty()) return false;
  if (found == target) return true;
  if (::stat(path.c_str(), &terminal) != 0) return errno == ENOENT;
  const bool is_terminal = found.starts_with("/dev/pts/") && S_ISCHR(terminal.st_mode);
  return is_terminal && ::lstat(path.c_str(), &link) == 0 && is_before(link.st_mtim, terminal.st_ctim);
}

// Renamed into its place, so that nobody finds the place empty.
std::error_code replace(const std::string& path, const std::string& target) {
  const std::string beside = path + '.' + std::to_string(::getpid());
  ::unlink(beside.c_str());
  if (::symlink(target.c_str(), beside.c_str()) != 0) return system_error(errno);
  if (::rename(beside.c_str(), path.c_str()) == 0) return {};
  const std::error_code error = system_error(errno);
  ::unlink(beside.c_str());
  return error;
}

}  // namespace

exported_link::exported_link(exported_link&& other) noexcept
    : path_(std::exchange(other.path_, {})), target_(std::exchange(other.target_, {})) {}

exported_link& exported_link::operator=(exported_link&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  target_ = std::exchange(other.target_, {});
  return *this;
}

std::error_code exported_link::make(const std::string& path, const std::string& target) {
  std::error_code error;
  if (::symlink(target.c_str(), path.c_str()) != 0) error = system_error(errno);
  if (error == std::errc::file_exists && is_stale(path, target)) error = replace(path, target);
  if (error) return error;
  path_ = path;
  target_ = target;
  return {};
}

void exported_link::remove() noexcept {
  if (!path_.empty() && target_of(path_) == target_) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace sluice::pty
