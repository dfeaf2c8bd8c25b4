#pragma once

#include <sluice/bytes.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/transport.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {

class process_transport;

namespace process {

/// How a child ended.
struct exit_status {
  int code = 0;    ///< What it returned, if no signal ended it; -1 if somebody else reaped it, so that nobody knows.
  int signal = 0;  ///< The signal that ended it, else 0.
  /// It returned 0.
  bool succeeded() const noexcept { return code == 0 && signal == 0; }
};

/// "exit code 1", "signal 9".
std::string to_string(const exit_status& status);

}  // namespace process

/// What happens to a child process and to the pipes to it: `connection_made`, then any number of the three in the middle in any order, then
/// `connection_lost` (rule U1). `pipe` is the child's number of the descriptor: 0, 1 or 2.
///
/// What a callback throws goes to the error hook and ends the process, as `close()` does, with `errc::protocol_threw`; but for
/// `pause_writing` and `resume_writing`, where it is only reported.
class process_protocol {
 public:
  process_protocol() = default;
  process_protocol(const process_protocol&) = delete;
  process_protocol& operator=(const process_protocol&) = delete;
  virtual ~process_protocol() = default;

  /// The child runs, and its pipes are there. `process` is valid until `connection_lost` returns.
  virtual void connection_made(process_transport& process);
  /// The child wrote `data`, also before it exited (rule U6). The view is valid for the call.
  virtual void pipe_data_received(int pipe, const_bytes data);
  /// A pipe is closed. An empty `reason` is an orderly end, and for pipe 0 also a child that reads no more; a child that did not take what
  /// was written to it is EPIPE (rule U4).
  virtual void pipe_connection_lost(int pipe, std::error_code reason);
  /// What is written to pipe 0 piles up, or does no longer, as for `protocol`.
  virtual void pause_writing();
  virtual void resume_writing();
  /// The child is gone and reaped.
  virtual void process_exited(const process::exit_status& status);
  /// The child is gone and all pipes are closed; nothing follows. Empty, unless a callback threw (`errc::protocol_threw`) or the loop ended
  /// (`errc::aborted`).
  virtual void connection_lost(std::error_code reason);
};

using process_protocol_factory = std::function<std::unique_ptr<process_protocol>()>;

/// A child process. Every call is legal in every callback, and none calls back.
class process_transport {
 public:
  process_transport(const process_transport&) = delete;
  process_transport& operator=(const process_transport&) = delete;

  /// The system's number of the process; another process may have it once this one is reaped.
  virtual int pid() const noexcept = 0;
  /// Known from `process_exited` on.
  virtual std::optional<process::exit_status> status() const noexcept = 0;

  /// The transport to write to the child's descriptor 0, or to hold or close what comes from 1 and 2; null if there is no pipe, or none any
  /// more. On a terminal 0 and 1 are the same, which reads and writes. Its protocol is not to be switched.
  virtual transport* pipe(int number) const noexcept = 0;

  /// ESRCH once the child is reaped, so that no stranger is hit (rule U3).
  virtual std::error_code send_signal(int number) noexcept = 0;
  /// SIGTERM.
  std::error_code terminate() noexcept;
  /// SIGKILL.
  std::error_code kill() noexcept;

  /// Closes all pipes and kills the child (SIGKILL) if it still runs; `process_exited`, if it was not told yet, and `connection_lost` follow.
  /// To end it in good order close pipe 0, or `terminate()`. A second call does nothing (rule U3).
  virtual void close() noexcept = 0;
  virtual bool is_closing() const noexcept = 0;

  /// Tells the child's terminal its size, if it has one; `errc::not_supported` if not.
  virtual std::error_code set_terminal_size(unsigned rows, unsigned columns) noexcept = 0;

 protected:
  process_transport() = default;
  virtual ~process_transport() = default;
};

namespace process {

/// What becomes of one of the child's standard descriptors.
enum class stream {
  pipe,     ///< A pipe to this process.
  inherit,  ///< The same as in this process.
  null,     ///< /dev/null.
  merge     ///< For `error` alone: where the output goes.
};

struct terminal_size {
  unsigned rows = 24;
  unsigned columns = 80;
};

/// A descriptor that the child gets besides 0, 1 and 2.
struct passed_descriptor {
  int here;      ///< Its number in this process, which keeps it.
  int in_child;  ///< Its number in the child, at least 3.
};

struct options {
  /// A path, or a name that is looked up in the PATH of the child's environment.
  std::string program;
  /// What follows the program's own name.
  std::vector<std::string> arguments = {};
  /// Where the child starts; empty: where this process is.
  std::string working_directory = {};
  /// Variables that are set for the child, over those of this process, unless `inherit_environment` is off: then these are all.
  std::vector<std::pair<std::string, std::string>> environment = {};
  bool inherit_environment = true;
  /// Numbers of the user and the group to run as, for privileged processes. A change of user or group drops the supplementary groups.
  std::optional<unsigned> user = {};
  std::optional<unsigned> group = {};
  stream input = stream::pipe;
  stream output = stream::pipe;
  stream error = stream::inherit;
  /// No other descriptor reaches the child, also not one that lacks close-on-exec.
  std::vector<passed_descriptor> pass = {};
  /// The child leads a session of its own: signals of this terminal do not reach it.
  bool new_session = false;
  /// The child's 0, 1 and 2 are a terminal of its own, which its new session is controlled by; `input`, `output` and `error` do not count.
  std::optional<terminal_size> terminal = {};
  /// Flow control and closing of each pipe.
  stream_options pipes = {};
};

/// Starts a child. Its protocol gets `connection_made` before this returns. Errors, with the whole story in `detail()`: what the system says
/// to the program, the folder, the user or the descriptors (rule U5); `errc::factory_failed`; `errc::protocol_threw` if `connection_made`
/// threw: the child is killed then and `connection_lost` follows. `errc::closed` if the loop is ending. Blocks until the child has begun
/// its program, some hundred microseconds.
///
/// Signals are at their defaults in the child, SIGPIPE too, and none is blocked (rule G2). The end of the loop kills children that still
/// run, and waits for them up to a second. A `shutdown` sends SIGTERM and closes pipe 0.
result<process_transport&> spawn(loop& owner, const options& wanted, const process_protocol_factory& factory);

/// Starts a child and makes a transport of its input and output, or of its terminal, so that any protocol can talk to it. `input` and
/// `output` of the options do not count, and `error` must not be a pipe. `write_eof()` ends the child's input. Errors as for `spawn`; `upper`
/// must not be null (`std::invalid_argument`).
///
/// `info<process::child_state>()` tells about the child. A connection that ends because the child's output did waits a moment, a second at most, for
/// the child to be gone, so that `connection_lost` knows how. After an orderly end the child may go on for `close_timeout` (30 s if that is
/// 0), so that it can work up its input; then it is killed, as it is at once when the connection is aborted, and when the loop ends.
result<transport&> open(loop& owner, const options& wanted, protocol_ptr upper);

/// Answer to `transport::info<process::child_state>()`.
struct child_state {
  int pid = 0;
  /// Empty while it runs.
  std::optional<exit_status> status = {};
};

}  // namespace process

}  // namespace sluice
