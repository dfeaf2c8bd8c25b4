// The serial ports of this machine, one in each line, and what is plugged in; with --watch, those that come and go from then on, too.

#include <sluice/serial/port_watch.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using sluice::serial::port;

// A device may call itself anything, and what it says must not command the terminal.
std::string shown(std::string_view text) {
  std::string result(text);
  for (char& each : result)
    if (static_cast<unsigned char>(each) < 0x20 || each == 0x7f) each = '?';
  return result;
}

std::string describe_usb(const sluice::serial::usb_device& usb) {
  char numbers[16];
  std::snprintf(numbers, sizeof numbers, "usb:%04x:%04x", unsigned{usb.vendor}, unsigned{usb.product});
  std::string text = numbers;
  if (!usb.serial.empty()) text += ":" + shown(usb.serial);
  if (!usb.manufacturer.empty()) text += "  " + shown(usb.manufacturer);
  if (!usb.product_name.empty()) text += "  " + shown(usb.product_name);
  return text;
}

void print(const char* what, const port& each) {
  std::printf("%s%s  %s%s\n", what, each.path.c_str(), each.driver.empty() ? "-" : each.driver.c_str(),
              each.accessible ? "" : "  (not for this user)");
  if (each.usb) std::printf("  %s\n", describe_usb(*each.usb).c_str());
  for (const std::string& link : each.by_id) std::printf("  %s\n", shown(link).c_str());
  for (const std::string& link : each.by_path) std::printf("  %s\n", shown(link).c_str());
  std::fflush(stdout);
}

const char* word_for(sluice::serial::port_change what) {
  switch (what) {
    case sluice::serial::port_change::added: return "added    ";
    case sluice::serial::port_change::removed: return "removed  ";
    case sluice::serial::port_change::changed: return "changed  ";
  }
  return "";
}

int list(const sluice::serial::system_folders& where) {
  auto ports = sluice::serial::list_ports(where);
  if (!ports) {
    std::fprintf(stderr, "list_ports: %s\n", ports.detail().c_str());
    return 1;
  }
  for (const port& each : *ports) print("", each);
  return 0;
}

void watch(const sluice::serial::system_folders& where) {
  sluice::loop loop;
  sluice::serial::port_watch ports(loop, [](const sluice::serial::port_event& event) { print(word_for(event.what), event.port); },
                                   {.where = where});
  for (const int signal : {SIGINT, SIGTERM}) loop.on_signal(signal, [&loop] { loop.stop(); });
  loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Lists the serial ports of this machine.");
  bool goes_on = false;
  sluice::serial::system_folders where;
  app.add_flag("--watch", goes_on, "goes on, and tells of ports that come and go");
  app.add_option("--sys", where.sys, "where the kernel describes its devices")->capture_default_str();
  app.add_option("--dev", where.dev, "where their files are")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    if (!goes_on) return list(where);
    watch(where);
    return 0;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "list_ports: %s\n", error.what());
    return 2;
  }
}
