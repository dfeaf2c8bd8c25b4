#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

#include <sluice/address.hpp>
#include <sluice/result.hpp>
#include <sluice/transport.hpp>

namespace sluice {

/// Told how an attempt to connect ended: after `connection_made` with the transport (which may be closing by then), or with the error.
/// Exactly once, in a later turn than the call that began the attempt, and never after the attempt was cancelled (rules L2, N7, N10).
using connect_handler = std::function<void(result<transport&>)>;

/// How the attempt on one address ended, where a call to connect may make several (rule N5).
struct connect_attempt {
  address to;
  /// Empty: this is the connection. `errc::cancelled`: another address was faster, or the program shuts down. `errc::timed_out`: no answer came
  /// in the time of the whole.
  std::error_code error;
  /// When it began, from the call on; the time that resolving the name took is in it.
  std::chrono::nanoseconds began{};
  std::chrono::nanoseconds took{};
};

/// Told of each attempt when it has ended, before anything follows from that, in a later turn than the call that connects. It may cancel the
/// whole; what it throws goes to the error hook. Attempts that were under way when the whole was cancelled are not told.
using connect_observer = std::function<void(const connect_attempt&)>;

/// An attempt to connect that is under way. Destroying or cancelling it ends the attempt: no `connection_made`, no completion, nothing left
/// open. Once the connection is made this object has no more to do with it.
class [[nodiscard("the attempt ends when this object does; call detach() to let it run")]] connecting {
 public:
  /// What a transport implements to be cancelled. Destroyed when the owner loses interest, in whatever state it is.
  class attempt {
   public:
    virtual ~attempt() = default;
    virtual bool in_progress() const noexcept = 0;
    /// Ends itself from now on; nobody will ask again.
    virtual void detach(std::unique_ptr<attempt> self) noexcept = 0;
  };

  connecting() noexcept = default;
  explicit connecting(std::unique_ptr<attempt> impl) noexcept : attempt_(std::move(impl)) {}

  /// Neither made, failed nor cancelled.
  bool in_progress() const noexcept { return attempt_ != nullptr && attempt_->in_progress(); }
  void cancel() noexcept { attempt_.reset(); }
  /// Lets the attempt run without this object; it ends with its scheduler at the latest.
  void detach()&& noexcept {
    if (attempt_ == nullptr) return;
    attempt& running = *attempt_;
    running.detach(std::move(attempt_));
  }

 private:
  std::unique_ptr<attempt> attempt_;
};

}  // namespace sluice
