#include <sluice/serial/ports.hpp>

#include <sluice/error.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "hexadecimal.hpp"
#include "sysfs.hpp"

namespace sluice::serial {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view usb_prefix = "usb:";

// "ttyUSB" and 10, so that it comes behind 9.
std::pair<std::string_view, unsigned long> name_and_number(std::string_view path) {
  const std::size_t digits = path.find_last_not_of("0123456789") + 1;
  unsigned long number = 0;
  std::from_chars(path.data() + digits, path.data() + path.size(), number);
  return {path.substr(0, digits), number};
}

struct links {
  detail::link_folder by_id;
  detail::link_folder by_path;
};

std::optional<port> look_at(const fs::path& entry, const fs::path& dev, const links& named) {
  std::string name = entry.filename().string();
  std::ranges::replace(name, '!', '/');
  const fs::path path = dev / name;
  std::error_code error;
  const fs::path file = fs::canonical(path, error);
  if (error) return std::nullopt;
  auto device = detail::describe_tty(entry);
  if (!device) return std::nullopt;
  return port{path.string(),
              named.by_id.leading_to(file),
              named.by_path.leading_to(file),
              std::move(device->driver),
              std::move(device->usb),
              ::access(path.c_str(), R_OK | W_OK) == 0};
}

std::optional<std::uint16_t> four_digits(std::string_view text) {
  return text.size() == 4 ? detail::hexadecimal<std::uint16_t>(text) : std::nullopt;
}

std::optional<std::uint8_t> interface_number(std::string_view text) {
  return text.size() <= 2 ? detail::hexadecimal<std::uint8_t>(text) : std::nullopt;
}

std::string described(const std::vector<port>& ports) {
  std::string all;
  for (const port& each : ports) all += (all.empty() ? "" : ", ") + each.path;
  return all;
}

std::string described_usb(const std::vector<port>& ports) {
  std::vector<port> usb = ports;
  std::erase_if(usb, [](const port& each) { return !each.usb; });
  return usb.empty() ? "there is no port of a USB device" : "ports of USB devices are " + described(usb);
}

result<std::string> find_usb(std::string_view text, const system_folders& where) {
  const auto match = usb_match::parse(text);
  if (!match) return {match.error(), match.detail()};
  auto ports = list_ports(where);
  if (!ports) return {ports.error(), ports.detail()};
  std::vector<port> fit = *ports;
  std::erase_if(fit, [&match](const port& each) { return !(*match).matches(each); });
  const std::string wanted = std::string(usb_prefix) + std::string(text);
  if (fit.empty()) return {system_error(ENOENT), "no port is " + wanted + "; " + described_usb(*ports)};
  if (fit.size() > 1)
    return {errc::bad_endpoint, "several ports are " + wanted + ": " + described(fit) + "; say which by its serial number or interface"};
  return fit.front().path;
}

}  // namespace

result<std::vector<port>> list_ports(const system_folders& where) {
  const fs::path dev(where.dev);
  const links named{detail::link_folder(dev / "serial/by-id"), detail::link_folder(dev / "serial/by-path")};
  const fs::path folder = fs::path(where.sys) / "class/tty";
  std::vector<port> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (auto one = look_at(at->path(), dev, named)) found.push_back(*std::move(one));
  if (error) return {system_error(error.value()), "listing " + folder.string() + ": " + error.message()};
  std::ranges::sort(found, {}, [](const port& each) { return name_and_number(each.path); });
  return found;
}

result<usb_match> usb_match::parse(std::string_view text) {
  usb_match made;
  made.text_ = text;
  const auto vendor = four_digits(text.substr(0, text.find(':')));
  const std::string_view behind = text.substr(std::min<std::size_t>(text.size(), 5));
  const auto product = four_digits(behind.substr(0, behind.find(':')));
  if (!vendor || !product)
    return {errc::bad_endpoint,
            "\"" + made.text_ + "\" does not name a USB device; expected VID:PID[:SERIAL][:INTERFACE], such as 0403:6001"};
  made.vendor_ = *vendor;
  made.product_ = *product;
  made.rest_ = behind.substr(std::min<std::size_t>(behind.size(), 5));
  return made;
}

// A serial number that ends like an interface is a serial number if a device has it.
bool usb_match::matches(const usb_device& device) const noexcept {
  if (device.vendor != vendor_ || device.product != product_) return false;
  if (rest_.empty() || rest_ == device.serial) return true;
  const std::string_view rest = rest_;
  const std::size_t colon = rest.rfind(':');
  if (colon == rest.npos) return false;
  const auto interface = interface_number(rest.substr(colon + 1));
  const std::string_view serial = rest.substr(0, colon);
  return interface && interface == device.interface && (serial.empty() || serial == device.serial);
}

result<std::string> find_port(std::string_view name, const system_folders& where) {
  if (name.starts_with(usb_prefix)) return find_usb(name.substr(usb_prefix.size()), where);
  std::error_code error;
  const fs::path file = fs::canonical(fs::path(name), error);
  if (!error) return file.string();
  return {system_error(error.value()), std::string(name) + ": " + system_error(error.value()).message()};
}

}  // namespace sluice::serial
