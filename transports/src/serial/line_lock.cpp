#include "line_lock.hpp"

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace sluice::serial {
namespace {

namespace fs = std::filesystem;

std::string name_of(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

std::string in_words(int process) {
  const std::string name = name_of(process);
  std::string text = ", held by process " + std::to_string(process);
  if (!name.empty()) text += " (" + name + ")";
  return process == ::getpid() ? text + ", which is this one" : text;
}

// The kernel lists a lock on a file as "…:INODE" of the file system that it is on, with the process in front.
std::optional<int> process_with_lock(int descriptor) {
  struct stat file {};
  if (::fstat(descriptor, &file) != 0) return std::nullopt;
  char wanted[64];
  std::snprintf(wanted, sizeof wanted, "%02x:%02x:%llu", major(file.st_dev), minor(file.st_dev),
                static_cast<unsigned long long>(file.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, manner, access, place;
    int process = 0;
    if (words >> number >> kind >> manner >> access >> process >> place && place == wanted && process > 0) return process;
  }
  return std::nullopt;
}

bool has_open(const fs::path& process, const fs::path& device) {
  std::error_code error;
  for (fs::directory_iterator each(process / "fd", error), end; !error && each != end; each.increment(error)) {
    std::error_code unreadable;
    if (fs::read_symlink(each->path(), unreadable) == device) return true;
  }
  return false;
}

std::optional<int> number_in(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && value > 0 ? std::optional(value) : std::nullopt;
}

std::optional<int> process_with_file(const std::string& device) {
  std::error_code error;
  const fs::path target = fs::canonical(device, error);
  for (fs::directory_iterator each("/proc", error), end; !error && each != end; each.increment(error)) {
    const auto process = number_in(each->path().filename().native());
    if (process && *process != ::getpid() && has_open(each->path(), target)) return process;
  }
  return std::nullopt;
}

bool is_alive(int process) noexcept { return ::kill(process, 0) == 0 || errno == EPERM; }

// "      1234\n", as all programs write it that look at such files.
std::optional<int> owner_of(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  return file >> word ? number_in(word) : std::nullopt;
}

std::error_code write_own_number(const std::string& path) {
  const descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return system_error(errno);
  char text[32];
  const int size = std::snprintf(text, sizeof text, "%10d\n", ::getpid());
  return ::write(file.get(), text, static_cast<std::size_t>(size)) == size ? std::error_code() : system_error(EIO);
}

// A file without a number may be one that is being written now.
bool is_stale(const std::string& path) {
  const auto process = owner_of(path);
  return process && !is_alive(*process);
}

result<bool> busy(int descriptor, const std::string& device) {
  return {errc::port_busy, device + " is in use" + describe_holder(descriptor, device)};
}

}  // namespace

std::string describe_holder(int descriptor, const std::string& device) {
  auto process = process_with_lock(descriptor);
  if (!process) process = process_with_file(device);
  return process ? in_words(*process) : std::string();
}

result<lock_file> lock_file::take(const std::string& device, const std::string& folder) {
  std::error_code error;
  const fs::path real = fs::canonical(device, error);
  lock_file made;
  made.path_ = folder + "/LCK.." + (error ? fs::path(device) : real).filename().string();
  if (is_stale(made.path_)) ::unlink(made.path_.c_str());
  const std::error_code failure = write_own_number(made.path_);
  if (!failure) return made;
  const std::string path = std::exchange(made.path_, {});
  if (failure != std::errc::file_exists) return {failure, "making the lock file " + path + ": " + failure.message()};
  const auto owner = owner_of(path);
  return {errc::port_busy, device + " is in use: " + path + " exists" + (owner ? in_words(*owner) : std::string())};
}

void lock_file::remove() noexcept {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

result<bool> lock_descriptor(int descriptor, const std::string& device, const lock_choices& chosen) {
  if (chosen.advisory && ::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return busy(descriptor, device);
    return {system_error(errno), device + ": locking it: " + system_error(errno).message()};
  }
  if (!chosen.exclusive) return true;
  int taken = 0;
  if (::ioctl(descriptor, TIOCGEXCL, &taken) == 0 && taken != 0) return busy(descriptor, device);  // of which root hears nothing else
  if (::ioctl(descriptor, TIOCEXCL) != 0) return {system_error(errno), device + ": locking it: " + system_error(errno).message()};
  return true;
}

void unlock_descriptor(int descriptor, const lock_choices& held) noexcept {
  if (held.exclusive) ::ioctl(descriptor, TIOCNXCL);
}

}  // namespace sluice::serial
