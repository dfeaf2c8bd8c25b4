#pragma once

#include <sluice/serial/ports.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

// A machine's /sys and /dev in a folder of their own, as the kernel and udev lay them out.
class fake_system {
 public:
  fake_system() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-ports-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    root_ = std::filesystem::canonical(name);
    std::filesystem::create_directories(root_ / "sys/class/tty");
    std::filesystem::create_directories(root_ / "dev");
  }
  fake_system(const fake_system&) = delete;
  fake_system& operator=(const fake_system&) = delete;
  ~fake_system() { std::filesystem::remove_all(root_); }

  sluice::serial::system_folders folders() const { return {(root_ / "sys").string(), (root_ / "dev").string()}; }
  std::string dev(const std::string& name) const { return (root_ / "dev" / name).string(); }

  // A device of the USB bus, such as "1-1", with what its files say.
  void usb(const std::string& bus, const std::string& vendor, const std::string& product, const std::string& serial,
           const std::string& maker = "Maker", const std::string& model = "Model") {
    const auto device = root_ / "sys/devices/usb1" / bus;
    write(device / "idVendor", vendor);
    write(device / "idProduct", product);
    if (!serial.empty()) write(device / "serial", serial);
    write(device / "manufacturer", maker);
    write(device / "product", model);
  }

  // A port of an adapter: its interface has a device of the port's own name in between.
  void adapter(const std::string& bus, unsigned number, const std::string& name, const std::string& driver) {
    add_port(interface_of(bus, number) / name, name, driver);
  }
  // A port that is the interface itself.
  void modem(const std::string& bus, unsigned number, const std::string& name) { add_port(interface_of(bus, number), name, "cdc_acm"); }

  // A UART of the board, below two devices that the kernel makes for each.
  void uart(const std::string& name, const std::string& type) {
    const auto chip = root_ / "sys/devices/pnp0/00:00";
    const auto inner = chip / "00:00:0" / "00:00:0.0";
    link(inner / "subsystem", root_ / "sys/bus/serial-base");
    link(chip / "00:00:0/subsystem", root_ / "sys/bus/serial-base");
    link(chip / "driver", root_ / "sys/bus/pnp/drivers/serial");
    add_port(inner, name, "port");
    write(entry(name) / "type", type);
  }
  // Something of the class "tty" without a device.
  void console(const std::string& name) {
    std::filesystem::create_directories(entry(name));
    write(root_ / "dev" / name, "");
  }

  void add_link(const std::string& folder, const std::string& name, const std::string& target) {
    link(root_ / "dev/serial" / folder / name, std::filesystem::path("../..") / target);
  }
  void remove_node(const std::string& name) { std::filesystem::remove(root_ / "dev" / name); }
  void remove(const std::string& name) {
    std::filesystem::remove_all(entry(name));
    remove_node(name);
  }
  void remove_class() { std::filesystem::remove_all(root_ / "sys/class"); }

  static void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }

 private:
  std::filesystem::path entry(const std::string& name) const { return root_ / "sys/class/tty" / name; }

  std::filesystem::path interface_of(const std::string& bus, unsigned number) const {
    const auto folder = root_ / "sys/devices/usb1" / bus / (bus + ":1." + std::to_string(number));
    write(folder / "bInterfaceNumber", '0' + std::to_string(number));
    return folder;
  }

  void add_port(const std::filesystem::path& device, const std::string& name, const std::string& driver) {
    std::filesystem::create_directories(device);
    std::filesystem::create_directories(entry(name));
    link(device / "driver", root_ / "sys/bus/drivers" / driver);
    link(entry(name) / "device", device);
    write(root_ / "dev" / name, "");
  }

  static void link(const std::filesystem::path& at, const std::filesystem::path& target) {
    std::filesystem::create_directories(at.parent_path());
    std::filesystem::remove(at);
    std::filesystem::create_symlink(target, at);
  }

  std::filesystem::path root_;
};
