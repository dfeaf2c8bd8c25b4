#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <system_error>
#include <vector>

#include <sluice/address.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {

/// What a server has done since it was made. Each client that reached it is in one of `accepted`, `factory_failures`, `refused_by_network`,
/// `refused_by_peer_limit` and `dropped`, or was cut off by the system before it could be accepted.
struct server_counters {
  std::uint64_t accepted = 0;               ///< Connections whose protocol got `connection_made`.
  std::uint64_t accept_errors = 0;          ///< Failed attempts to accept, transient ones included.
  std::uint64_t accept_pauses = 0;          ///< Episodes in which accepting was paused for want of descriptors or memory (rule S10).
  std::uint64_t factory_failures = 0;       ///< Connections that were closed because the factory threw or returned null.
  std::uint64_t refused_by_network = 0;     ///< Connections that were closed because of the lists `allow` and `deny`.
  std::uint64_t refused_by_peer_limit = 0;  ///< Connections that were closed because their peer had `max_connections_per_peer` already.
  std::uint64_t dropped = 0;                ///< Clients that were turned away for want of descriptors, after they had waited (rule S10).
  std::uint64_t limit_pauses = 0;           ///< How often accepting was paused because there were `max_connections`.
  std::uint64_t connections = 0;            ///< Not a sum: connections whose descriptors are not given back now, lingering ones included.
};

/// What becomes of clients that the system has accepted and the server has not, when it closes.
enum class waiting_clients : std::uint8_t {
  accept,  ///< They are served, unless accepting is held (`accept_hold`).
  refuse,  ///< The system resets them.
  leave    ///< They go on waiting: another process has the same sockets and accepts them. Files of Unix sockets stay where they are.
};

/// Why a server does not accept at the moment; several may hold at once.
enum class accept_hold : std::uint8_t {
  user = 1,              ///< `pause_accepting`.
  connection_limit = 2,  ///< There are `max_connections`.
  shortage = 4,          ///< The system is short of descriptors or memory (rule S10).
  memory_budget = 8      ///< The loop's memory budget is used up.
};

/// Told how many connections were aborted because they were still open at the deadline.
using closed_handler = std::function<void(std::size_t aborted)>;

/// Accepts connections and gives each a protocol from its factory. Destroying it closes it; connections that it made live on.
///
/// Belongs to the loop's thread. Every call is legal in every callback, also in the factory. A server that is serving keeps `loop::run`
/// running, also while it does not accept.
class server {
 public:
  server() = default;
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  virtual ~server() = default;

  /// Lets clients in that come to the sockets which are bound and do not listen yet, as `start_serving = false` in the options left them;
  /// addresses that are listened on later serve at once. Idempotent. Throws `std::system_error` that names the address, or sets `error`,
  /// and closes the server then (rule S1).
  virtual void start_serving() = 0;
  virtual void start_serving(std::error_code& error) = 0;
  /// At least one socket is listening, also while accepting is paused.
  virtual bool is_serving() const noexcept = 0;

  /// Stops listening; what becomes of clients that wait to be accepted is for `waiting` to say. Idempotent; connections are not touched
  /// (rule S2).
  virtual void close(waiting_clients waiting) = 0;
  void close() { close(waiting_clients::accept); }

  /// Asks each connection to end, as `transport::shut_down()` does: its protocol's `shutting_down()` is called later, whose default closes
  /// in good order. Call `close()` first, or new ones may come (rule S3).
  virtual void close_clients() = 0;
  /// As `transport::abort()` on each connection.
  virtual void abort_clients() = 0;

  /// Calls `done` in a later turn, once the server is closed and the descriptors of all its connections are given back. When `deadline` has
  /// passed before that, what is left is closed, refusing clients that wait, and aborted; `done` follows and is told how many connections
  /// that were. So it always comes, unless the server or the loop is destroyed before: then it is destroyed uncalled. Does not ask anybody
  /// to end before the deadline: call `close()` and `close_clients()` for that. May be called several times (rule S4).
  virtual void wait_closed(duration deadline, closed_handler done) = 0;

  /// Clients wait in the system's queue until accepting is resumed. Not counted: one resume ends any number of pauses (rule S14).
  virtual void pause_accepting() = 0;
  virtual void resume_accepting() = 0;
  /// Bit set of `accept_hold`; 0 while clients are accepted.
  virtual std::uint8_t accept_holds() const noexcept = 0;

  /// The bound addresses, with the ports that the system chose for port 0; empty after `close` (rule S5).
  virtual std::vector<address> sockets() const = 0;
  /// The descriptors of the same sockets, in the same order, for `hand_over` or socket options. They stay the server's.
  virtual std::vector<int> descriptors() const = 0;

  virtual const server_counters& counters() const noexcept = 0;
};

}  // namespace sluice
