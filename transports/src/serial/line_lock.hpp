#pragma once

#include <sluice/serial/device.hpp>

#include <string>
#include <system_error>
#include <utility>

namespace sluice::serial {

// The file `LCK..name` that older programs look at; removed with this object.
class lock_file {
 public:
  lock_file() noexcept = default;
  lock_file(lock_file&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  lock_file& operator=(lock_file&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~lock_file() { remove(); }

  // For the device of that path in `folder`; replaces a file whose process is gone. The error's text names the holder.
  static result<lock_file> take(const std::string& device, const std::string& folder);
  void remove() noexcept;

 private:
  std::string path_;
};

// Takes what was chosen of the locks on an open descriptor, or none of them: `errc::port_busy` with the holder in the detail.
result<bool> lock_descriptor(int descriptor, const std::string& device, const lock_choices& chosen);
void unlock_descriptor(int descriptor, const lock_choices& held) noexcept;

// ", held by process 12 (ser2net)", or nothing where that cannot be seen.
std::string describe_holder(int descriptor, const std::string& device);

}  // namespace sluice::serial
