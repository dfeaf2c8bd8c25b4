#pragma once

#include <sluice/descriptor.hpp>

#include <cstddef>
#include <string>
#include <string_view>

// The other end of a serial line: the master of a pseudo-terminal, in the test's own hands.
namespace terminal_kit {

class far_end {
 public:
  // A pair whose settings are as a system leaves them: not raw, with echo.
  far_end();

  // Of the terminal that is under test.
  const std::string& path() const noexcept { return path_; }
  int get() const noexcept { return master_.get(); }

  void send(std::string_view text) const;
  // Exactly `n` bytes; fails the test after half a minute.
  std::string receive(std::size_t n) const;
  // As a device that is unplugged.
  void unplug() noexcept { master_.close(); }
  // What waits for `receive`.
  std::size_t waiting() const noexcept;

 private:
  sluice::descriptor master_;
  std::string path_;
};

}  // namespace terminal_kit
