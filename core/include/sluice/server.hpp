#pragma once

#include <cstdint>
#include <vector>

#include <sluice/address.hpp>

namespace sluice {

/// What a server has done since it was made.
struct server_counters {
  std::uint64_t accepted = 0;          ///< Connections whose protocol got `connection_made`.
  std::uint64_t accept_errors = 0;     ///< Failed attempts to accept, transient ones included.
  std::uint64_t accept_pauses = 0;     ///< Episodes in which accepting was paused for want of descriptors or memory.
  std::uint64_t factory_failures = 0;  ///< Connections that were closed because the factory threw or returned null.
};

/// Accepts connections and gives each a protocol from its factory. Destroying it closes it; connections that it made live on.
class server {
 public:
  server() = default;
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  virtual ~server() = default;

  /// Accepts what already waits, then stops listening. Idempotent; connections are not touched (rule S2). Legal in every callback, also in
  /// the factory.
  virtual void close() = 0;
  virtual bool is_serving() const noexcept = 0;
  /// The bound addresses, with the ports that the system chose for port 0; empty after `close` (rule S5).
  virtual std::vector<address> sockets() const = 0;
  virtual const server_counters& counters() const noexcept = 0;
};

}  // namespace sluice
