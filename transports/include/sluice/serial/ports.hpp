#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/result.hpp>

namespace sluice::serial {

/// Where the system describes its devices; another place for tests.
struct system_folders {
  std::string sys = "/sys";
  std::string dev = "/dev";
};

/// The USB device that a port belongs to, in its own words: the texts hold whatever bytes the device gives, and may be empty.
struct usb_device {
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
  std::string serial;
  std::string manufacturer;
  std::string product_name;
  /// Which interface of a device with several ports.
  std::optional<std::uint8_t> interface;

  bool operator==(const usb_device&) const = default;
};

/// A serial port that the system has now.
struct port {
  /// "/dev/ttyUSB0": who comes first gets which number, so it may be another device the next time.
  std::string path;
  /// Links that lead to `path` and are named after the device ("/dev/serial/by-id/usb-FTDI_…") or after the socket that it is plugged into
  /// ("/dev/serial/by-path/…"), in alphabetic order. They are the same the next time.
  std::vector<std::string> by_id;
  std::vector<std::string> by_path;
  /// "ftdi_sio", "cdc_acm", "serial", …; empty if there is none.
  std::string driver;
  std::optional<usb_device> usb;
  /// This process may open it for reading and writing, as far as permissions say.
  bool accessible = false;

  bool operator==(const port&) const = default;
};

/// The ports that the system has: entries of its class "tty" with a device behind them and a file in `dev`, which leaves out consoles,
/// pseudo-terminals and sockets of the board without a chip. Ordered by name, numbers as numbers. Reads a few files for each; the kernel may
/// make the reader wait for a device that is being set up, so a loop's thread leaves it to an executor, as `port_watch` does.
result<std::vector<port>> list_ports(const system_folders& where = {});

/// Picks ports by what is plugged in, however it is called now: `VID:PID[:SERIAL][:INTERFACE]`, the first two with four hexadecimal digits,
/// the last with one or two. `0403:6010::01` is the second port of any such adapter. A serial number may hold colons.
class usb_match {
 public:
  /// Errors, with the whole story in `detail()`: `errc::bad_endpoint`.
  static result<usb_match> parse(std::string_view text);

  bool matches(const usb_device& device) const noexcept;
  bool matches(const port& candidate) const noexcept { return candidate.usb && matches(*candidate.usb); }
  /// As it was written.
  const std::string& text() const noexcept { return text_; }

 private:
  usb_match() = default;

  std::string text_;
  std::uint16_t vendor_ = 0;
  std::uint16_t product_ = 0;
  std::string rest_;  // behind the product: a serial number, an interface, or both
};

/// The file of the port that is called `name` at this moment: `usb:` with a `usb_match`, looked up among `list_ports()`, or a path, in which
/// links are followed. To be asked anew for each opening. Errors, with the whole story in `detail()`: ENOENT if there is none, which names
/// those that there are; `errc::bad_endpoint` for text that is no match, or one that
/// several ports fit.
result<std::string> find_port(std::string_view name, const system_folders& where = {});

}  // namespace sluice::serial
