#include "sysfs.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

#include "hexadecimal.hpp"

namespace sluice::serial::detail {
namespace {

namespace fs = std::filesystem;

constexpr int most_ancestors = 32;

// The first line of a file; empty if there is none.
std::string attribute(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string name_behind(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename().string();
}

// Newer kernels put two devices of their own between a UART's entry and what it is made of.
fs::path skip_serial_base(fs::path device) {
  while (name_behind(device / "subsystem") == "serial-base") device = device.parent_path();
  return device;
}

// The closest ancestor, the device itself included, that has `file`.
std::optional<fs::path> ancestor_with(fs::path device, const char* file) {
  std::error_code error;
  for (int i = 0; i < most_ancestors && device.has_relative_path(); ++i, device = device.parent_path())
    if (fs::exists(device / file, error)) return device;
  return std::nullopt;
}

std::optional<usb_device> usb_device_of(const fs::path& device) {
  const auto found = ancestor_with(device, "idVendor");
  if (!found) return std::nullopt;
  const auto vendor = hexadecimal<std::uint16_t>(attribute(*found / "idVendor"));
  const auto product = hexadecimal<std::uint16_t>(attribute(*found / "idProduct"));
  if (!vendor || !product) return std::nullopt;
  usb_device usb{*vendor, *product, attribute(*found / "serial"), attribute(*found / "manufacturer"), attribute(*found / "product"), {}};
  if (const auto part = ancestor_with(device, "bInterfaceNumber"))
    usb.interface = hexadecimal<std::uint8_t>(attribute(*part / "bInterfaceNumber"));
  return usb;
}

// A socket for a UART that has none.
bool is_vacant(const fs::path& entry) { return attribute(entry / "type") == "0"; }

}  // namespace

link_folder::link_folder(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code dangling;
    fs::path target = fs::canonical(at->path(), dangling);
    if (!dangling) entries_.push_back({at->path().string(), std::move(target)});
  }
  std::ranges::sort(entries_, {}, &entry::link);
}

std::vector<std::string> link_folder::leading_to(const fs::path& file) const {
  std::vector<std::string> links;
  for (const entry& each : entries_)
    if (each.target == file) links.push_back(each.link);
  return links;
}

std::optional<tty_device> describe_tty(const fs::path& entry) {
  std::error_code error;
  fs::path device = fs::canonical(entry / "device", error);
  if (error || is_vacant(entry)) return std::nullopt;
  device = skip_serial_base(std::move(device));
  return tty_device{name_behind(device / "driver"), usb_device_of(device)};
}

}  // namespace sluice::serial::detail
