#pragma once

#include <sluice/loop.hpp>
#include <sluice/server.hpp>
#include <sluice/timer.hpp>

#include <cstddef>
#include <list>
#include <utility>

namespace sluice::detail {

// Those who wait until a server is closed and has no connections any more, or for as long as they can wait (rule S4).
class closing_waits {
 public:
  // What is waited for.
  class subject {
   public:
    virtual bool is_over() const noexcept = 0;
    // How many connections that aborted. What ends is over in one of the next turns; called again in each until it is.
    virtual std::size_t cut_off() = 0;

   protected:
    ~subject() = default;
  };

  closing_waits(loop& owner, subject& what) noexcept : owner_(owner), subject_(what) {}
  closing_waits(const closing_waits&) = delete;
  closing_waits& operator=(const closing_waits&) = delete;

  void add(duration deadline, closed_handler done);
  // To be called whenever it may be over.
  void look() noexcept;
  void drop() noexcept { waits_.clear(); }

 private:
  struct wait {
    wait(closing_waits& home, time_point end, closed_handler told)
        : until(end), done(std::move(told)), alarm(home.owner_, [&home, this] { home.wake(*this); }) {}
    time_point until;
    closed_handler done;
    std::size_t aborted = 0;
    timer alarm;
  };

  void wake(wait& woken);

  loop& owner_;
  subject& subject_;
  std::list<wait> waits_;
};

}  // namespace sluice::detail
