#pragma once

#include <sluice/address.hpp>
#include <sluice/loop.hpp>
#include <sluice/server.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <system_error>
#include <vector>

/// A new process takes the place of a running one, and no client notices: the listening sockets themselves pass from one to the other, so
/// that nobody is refused and nobody who waits in a queue is lost.
///
///     auto before = hand_over::take(loop, address::unix_path("/run/name.next"));  // the sockets of whoever runs already, if anybody does
///     auto server = listen(loop, "tcp://0.0.0.0:7000", factory);                  // one of them, or a new one
///     hand_over::offer offer(loop, address::unix_path("/run/name.next"), [&] { shutdown(loop, 30s); });  // until the next one comes
///     offer.add(*server);
///     before.ready();  // the other process stops accepting, and drains
///     loop.run();
///
/// The same program does it at its first start, when there is nobody to succeed, and at every later one. The socket of the offer is handed
/// over like the others, so it is made before `ready`, too.
namespace sluice::hand_over {

using namespace std::chrono_literals;

/// How many sockets one process can hand over.
inline constexpr std::size_t max_sockets = 1024;

/// Settings of an `offer`.
struct options {
  /// Permissions of the socket file, on systems that heed them. Whoever can connect can take the sockets, and with them the clients.
  unsigned mode = 0600;
  /// How long a successor may take to become ready before this process goes on without it.
  std::chrono::milliseconds ready_timeout = 60s;
};

/// Waits at a socket file for a successor, for as long as this object exists. One successor at a time is served; others wait.
///
/// A successor gets duplicates of the listening sockets and prepares itself, while this process goes on serving. When it says that it is
/// ready, each server is closed with its waiting clients left to the successor, and `handed_over` is called, in a turn of its own. If it
/// dies before that, takes too long or says something else, the error hook is told (`error_source::accept`), and nothing has changed.
///
/// A loop that runs only for an offer goes on running. Loop's thread only; every call is legal in every callback, also in `handed_over`.
class offer {
 public:
  /// Listens at `at`, the path of a socket file, as `local::server` does. Throws `std::system_error` that names it, `std::invalid_argument`
  /// for a `ready_timeout` that is not above 0.
  offer(loop& owner, const address& at, std::function<void()> handed_over, options settings = {});
  offer(const offer&) = delete;
  offer& operator=(const offer&) = delete;
  /// As `close()`.
  ~offer();

  /// The sockets that it listens on when a successor comes are handed over. `serving` must exist until the offer is closed. Throws
  /// `std::system_error` if it has one that is no listening stream socket.
  void add(server& serving);

  /// Takes the offer back, also from a successor that is not ready yet, and removes the socket file.
  void close();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

/// What a process got from its predecessor, and the line to it. Without a predecessor it holds nothing, and every call does nothing.
///
/// Destroyed before `ready()`, it closes the sockets that no server has got; the predecessor hears of it and goes on serving.
class succession {
 public:
  /// Nobody is succeeded.
  succession() noexcept;
  succession(succession&& other) noexcept;
  succession& operator=(succession&& other) noexcept;
  ~succession();

  /// True until `ready()` has returned.
  bool has_predecessor() const noexcept;

  /// The addresses of the sockets that no server has got yet. A server of the loop that listens at one of them, by `listen` or by an
  /// endpoint, gets the predecessor's socket instead of a new one, with everybody who waits in its queue; port 0 is always a new socket.
  std::vector<address> sockets() const;

  /// Tells the predecessor that it can leave, and waits until it has stopped accepting; returns at once if it is gone, for whatever reason.
  /// Sockets that no server has got are closed: their addresses are given up, and files of Unix sockets among them are left behind. Throws
  /// `std::system_error`, or sets `error`: `errc::cancelled` if the predecessor has taken its offer back and goes on serving,
  /// `errc::timed_out` if it does not answer within `patience`, `errc::malformed_message` if it answers something else. Then both processes
  /// may be serving. Either way this object has done its work.
  void ready(duration patience = 5s);
  void ready(duration patience, std::error_code& error);

 private:
  friend succession take(loop& owner, const address& from, duration patience);
  friend succession take(loop& owner, const address& from, duration patience, std::error_code& error);
  struct state;
  explicit succession(std::unique_ptr<state> taken) noexcept;

  std::unique_ptr<state> state_;
};

/// Takes the listening sockets of the process that offers them at `from`, for servers of `owner`. For set-up, before the loop runs: it
/// waits for the other process, `patience` at most. Nobody there, or a socket file that nobody listens at, is no error: there is nobody to
/// succeed. Throws `std::system_error` with the whole story, or sets `error`:
///
/// - what the system says of the file, such as EACCES;
/// - `errc::timed_out`: no answer, perhaps because another successor is served;
/// - `errc::truncated`, `errc::cancelled`: the other process ended on the way, or took its offer back;
/// - `errc::malformed_message`: it speaks another language;
/// - `errc::descriptors_lost`: this process cannot open so many descriptors;
/// - EPROTOTYPE, EINVAL, EAFNOSUPPORT and the like: what it passes is no listening stream socket.
succession take(loop& owner, const address& from, duration patience = 5s);
succession take(loop& owner, const address& from, duration patience, std::error_code& error);

}  // namespace sluice::hand_over
