#pragma once

#include <string>
#include <system_error>

namespace sluice::pty {

// A symbolic link that is ours, and is removed with this object unless another has taken its place.
class exported_link {
 public:
  exported_link() = default;
  exported_link(exported_link&& other) noexcept;
  exported_link& operator=(exported_link&& other) noexcept;
  ~exported_link() { remove(); }

  // Makes `path` lead to `target`, whole and at once. Replaces what a program that died left there; EEXIST for anything else.
  std::error_code make(const std::string& path, const std::string& target);
  void remove() noexcept;

 private:
  std::string path_;  // empty if there is none
  std::string target_;
};

}  // namespace sluice::pty
