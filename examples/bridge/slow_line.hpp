#pragma once

#include <sluice/endpoint.hpp>
#include <sluice/info.hpp>
#include <sluice/server.hpp>
#include <sluice/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace bridge {

// Keeps short what waits in this program for a line of known speed. Left alone, a fast sender would fill buffers that a slow line is busy with
// for minutes. Of the two seconds of line time that may wait in all, half a second each is for the queue of the line, for one read, and for
// what the system keeps for us: a receive buffer, of which it makes twice what it is asked for. A line whose speed is not known is left alone.
class slow_line {
 public:
  slow_line() = default;
  // What the endpoint of a serial line says of its speed, for as long as it is not connected: what a client that comes meanwhile was promised as
  // a receive buffer is not taken back.
  explicit slow_line(const sluice::endpoint& line);
  explicit slow_line(const sluice::transport& line) : speed_(line.info<sluice::line_speed>()) {}

  // The marks of the line itself.
  void bound(sluice::transport& line) const;
  // One whose input goes to the line.
  void bound_feeder(sluice::transport& feeder) const;
  // The same for all that will come to it.
  void bound_feeders_of(const sluice::server& clients) const;

  // "5760 bytes, 0.50 s of line time".
  std::string describe(std::size_t waiting) const;

 private:
  std::size_t bytes_in(std::chrono::milliseconds span) const;

  std::optional<sluice::line_speed> speed_;
};

// Bytes that wait to be sent to `line`, in this program.
std::size_t waiting_in(const sluice::transport& line);

// Bytes that wait to be read from `feeder`, in the system.
std::size_t waiting_in_the_system(const sluice::transport& feeder);

}  // namespace bridge
