#pragma once

#include <sluice/serial/ports.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sluice::serial::detail {

// Links in one folder, with the files that they lead to.
class link_folder {
 public:
  explicit link_folder(const std::filesystem::path& folder);
  // Those that lead to `file`, which is canonical.
  std::vector<std::string> leading_to(const std::filesystem::path& file) const;

 private:
  struct entry {
    std::string link;
    std::filesystem::path target;
  };
  std::vector<entry> entries_;
};

// What an entry of the class "tty" says of its device. Nothing if there is none behind it.
struct tty_device {
  std::string driver;
  std::optional<usb_device> usb;
};
std::optional<tty_device> describe_tty(const std::filesystem::path& entry);

}  // namespace sluice::serial::detail
