#include "slow_line.hpp"

#include <sluice/capture/tap.hpp>
#include <sluice/serial/settings.hpp>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace bridge {
namespace {

using namespace std::chrono_literals;

void set_receive_buffer(int socket, std::size_t bytes) {
  const int size = static_cast<int>(bytes);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);  // what is no socket has none
}

}  // namespace

slow_line::slow_line(const sluice::endpoint& line) {
  if (line.scheme() != "serial") return;
  std::uint32_t baud = sluice::serial::settings().baud;
  for (const sluice::endpoint_option& each : line.options())
    if (each.name == "baud") std::from_chars(each.value.data(), each.value.data() + each.value.size(), baud);
  constexpr double bits_of_byte = 10;
  speed_ = sluice::line_speed{baud / bits_of_byte};
}

std::size_t slow_line::bytes_in(std::chrono::milliseconds span) const {
  return std::clamp<std::size_t>(speed_->bytes_in(span), 16, std::size_t{1} << 20U);
}

void slow_line::bound(sluice::transport& line) const {
  if (!speed_) return;
  const sluice::capture::tap* const between = sluice::capture::find_tap(line);
  sluice::transport& wire = between == nullptr ? line : between->below();
  const std::size_t high = std::min(bytes_in(500ms), wire.get_write_buffer_limits().high);
  wire.set_write_buffer_limits({.high = high, .low = {}});
  if (between != nullptr) line.set_write_buffer_limits({.high = 1, .low = {}});  // what waits is to wait in one place
}

void slow_line::bound_feeder(sluice::transport& feeder) const {
  if (!speed_) return;
  sluice::stream_options options = feeder.options();
  options.max_receive = bytes_in(500ms);
  feeder.set_options(options);
  if (const auto socket = feeder.info<sluice::native_descriptor>()) set_receive_buffer(socket->value, bytes_in(250ms));
}

void slow_line::bound_feeders_of(const sluice::server& clients) const {
  if (!speed_) return;
  for (const int socket : clients.descriptors()) set_receive_buffer(socket, bytes_in(250ms));
}

std::string slow_line::describe(std::size_t waiting) const {
  std::string text = std::to_string(waiting) + " bytes";
  if (!speed_) return text;
  char time[64];
  std::snprintf(time, sizeof time, ", %.2f s of line time", std::chrono::duration<double>(speed_->time_for(waiting)).count());
  return text + time;
}

std::size_t waiting_in(const sluice::transport& line) {
  const sluice::capture::tap* const between = sluice::capture::find_tap(line);
  return line.get_write_buffer_size() + (between == nullptr ? 0 : between->below().get_write_buffer_size());
}

std::size_t waiting_in_the_system(const sluice::transport& feeder) {
  int waiting = 0;
  int type = 0;
  socklen_t size = sizeof type;
  const auto socket = feeder.info<sluice::native_descriptor>();
  if (!socket || ::getsockopt(socket->value, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return 0;  // what a pipe holds is its writer's
  if (::ioctl(socket->value, FIONREAD, &waiting) != 0) return 0;
  return static_cast<std::size_t>(waiting);
}

}  // namespace bridge
