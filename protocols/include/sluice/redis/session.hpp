#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include <sluice/bytes.hpp>
#include <sluice/redis/command_table.hpp>

namespace sluice::redis {

/// One client of a server, as `session_list` and the server's commands know it. Derive the connection from it. It is a sink: replies are
/// written to it.
class session {
 public:
  virtual ~session() = default;

  /// Sends `chunks`, in order.
  virtual void writev(std::span<const const_bytes> chunks) = 0;
  /// Ends the connection; what was written is still delivered.
  virtual void end() = 0;
  /// Ends the connection at once. May be called while a command of another session runs.
  virtual void kill() = 0;
  /// Bytes that were written and have not left yet.
  virtual std::size_t unsent() const = 0;

  std::uint64_t id = 0;  ///< Set by `session_list::add`; 0 before.
  std::string address;
  std::string local_address;
  std::string name;
  std::string library_name;
  std::string library_version;
  std::string last_command;
  std::chrono::milliseconds connected_at{0};
  std::chrono::milliseconds active_at{0};
};

/// The clients of one server, and the commands about them that client libraries send before they send anything else: `HELLO`, `CLIENT ID`,
/// `GETNAME`, `SETNAME`, `SETINFO`, `INFO`, `LIST`, `KILL`. Replies and errors are those of Redis 7 as far as there is anything to tell: no
/// users but "default", no replicas, one database, RESP2 only. Times are in milliseconds of any clock of the server's.
class session_list {
 public:
  using time = std::chrono::milliseconds;

  /// `server` and `version` are what `HELLO` tells.
  session_list(std::string_view server, std::string_view version) : server_(server), version_(version) {}

  /// `joined` must be removed before it is destroyed.
  void add(session& joined, time now);
  void remove(session& left) noexcept { sessions_.erase(left.id); }
  std::size_t size() const noexcept { return sessions_.size(); }
  /// How many have ever been added.
  std::uint64_t total() const noexcept { return last_id_; }
  /// Calls `visit` for each, which may end or kill any but not add or remove.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [id, each] : sessions_) visit(*each);
  }

  /// Notes that `asking` sends `request`: what `CLIENT LIST` shows of it.
  void note(session& asking, arguments request, time now);

  /// Answers `HELLO`.
  void hello(session& asking, arguments request);
  /// Answers `CLIENT` with its subcommands. A client that kills itself gets its reply.
  void client(session& asking, arguments request, time now);

 private:
  struct call;

  std::string server_;
  std::string version_;
  std::map<std::uint64_t, session*> sessions_;
  std::uint64_t last_id_ = 0;
};

}  // namespace sluice::redis
