#pragma once

#include <sluice/address.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/timer.hpp>

#include <system_error>

#include "socket_watch.hpp"

namespace sluice::detail {

// One socket on its way to one address. Destroying it closes the socket.
class socket_attempt {
 public:
  // Told once how it ended, in a later turn than it was begun, also where the system refused at once; may destroy it.
  class listener {
   public:
    virtual void attempt_ended(socket_attempt& ended, std::error_code error) = 0;

   protected:
    ~listener() = default;
  };

  // `from`: the address of this end; empty leaves it to the system.
  socket_attempt(loop& owner, const address& to, const address& from, listener& told);

  const address& to() const noexcept { return to_; }
  time_point began() const noexcept { return began_; }
  // Where it succeeded: the connected socket.
  descriptor take() noexcept;

 private:
  std::error_code begin(loop& owner, const address& from);
  void writable();
  std::error_code outcome() const;

  address to_;
  listener& told_;
  time_point began_;
  descriptor socket_;
  socket_watch watch_;
  std::error_code refused_;
  timer later_;  // for what was refused at once
};

}  // namespace sluice::detail
