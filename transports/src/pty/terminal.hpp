#pragma once

#include <sluice/descriptor.hpp>

#include <optional>
#include <string>
#include <system_error>

namespace sluice::pty {

// Both sides of a pseudo-terminal. As long as one descriptor of the terminal's side is open, ours does not hang up, which would be told for
// ever and without an end.
class terminal {
 public:
  // Raw, and telling with each read what it is (TIOCPKT). `error` names the system's reason; `mode` is for the file.
  static terminal make(std::optional<unsigned> mode, std::error_code& error);

  const std::string& path() const noexcept { return path_; }
  // Our side. Given away once.
  descriptor take_master() noexcept { return std::move(master_); }
  // Opens the other side of `master`; not open where the system cannot.
  static descriptor other_side_of(int master) noexcept;
  descriptor take_held() noexcept { return std::move(held_); }

 private:
  std::error_code open(std::optional<unsigned> mode);

  descriptor master_;
  descriptor held_;
  std::string path_;
};

}  // namespace sluice::pty
