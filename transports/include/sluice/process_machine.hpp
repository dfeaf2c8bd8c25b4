#pragma once

#include <cstdint>

namespace sluice {

/// The life of one child process and of the pipes to it, as a pure value: no I/O, no callbacks; each event returns what has to be done next.
class process_machine {
 public:
  enum class state : std::uint8_t {
    starting,         ///< The protocol has not been told yet.
    running,          ///< The child runs and a pipe is open.
    unpiped,          ///< The child runs and no pipe is open.
    closing,          ///< Closed and killed; a pipe is open.
    closing_unpiped,  ///< Closed and killed; no pipe is open.
    exited,           ///< The child is gone and a pipe is open, which may bring output still (rule U6).
    finishing,        ///< `connection_lost` is posted.
    lost              ///< `connection_lost` was delivered.
  };

  enum class action : std::uint8_t {
    none,
    end_child,    ///< Close the pipes and kill the child.
    close_pipes,  ///< Close the pipes; the child is gone.
    post_finish,  ///< Post `connection_lost`.
    deliver_lost  ///< Call `connection_lost`.
  };

  state current() const noexcept { return state_; }
  /// The child has not been reaped: a signal can reach it.
  bool has_child() const noexcept;
  /// `close()` was called, or the end has come.
  bool is_closing() const noexcept { return state_ != state::starting && state_ != state::running && state_ != state::unpiped; }

  action made(bool has_pipes) noexcept;  ///< The child was started.
  action child_exited() noexcept;        ///< The child was reaped.
  action last_pipe_lost() noexcept;      ///< The last pipe has been lost.
  action close() noexcept;               ///< The user ends it, or a callback threw.
  action finish() noexcept;              ///< The posted finish runs.
  action scheduler_ends() noexcept;      ///< Nothing can be waited for any more.

 private:
  state state_ = state::starting;
};

const char* to_string(process_machine::state value) noexcept;

}  // namespace sluice
