#include "latency_timer.hpp"

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace sluice::serial {
namespace {

constexpr const char* name = "latency_timer";

}  // namespace

std::optional<std::chrono::milliseconds> read_latency_timer(const std::filesystem::path& device) {
  std::ifstream file(device / name);
  unsigned milliseconds = 0;
  if (!(file >> milliseconds)) return std::nullopt;
  return std::chrono::milliseconds(milliseconds);
}

// By the system's own calls, as a driver refuses a number by an error of the write.
std::error_code write_latency_timer(const std::filesystem::path& device, std::chrono::milliseconds wanted) {
  const descriptor file(::open((device / name).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!file) return system_error(errno);
  const std::string text = std::to_string(wanted.count());
  return ::write(file.get(), text.data(), text.size()) < 0 ? system_error(errno) : std::error_code();
}

}  // namespace sluice::serial
