#pragma once

#include <sluice/detail/attachment.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/loop.hpp>
#include <sluice/process.hpp>
#include <sluice/timer.hpp>

#include <sys/types.h>

#include <memory>
#include <vector>

struct uv_signal_s;

namespace sluice::process {

// Reaps the children of one loop and tells who watches them. Waits for each by its number, so that children of others stay theirs.
class reaper final : public detail::attachment, private detail::resource {
 public:
  class watcher {
   public:
    // The child is reaped and forgotten. In no turn.
    virtual void child_exited(const exit_status& status) = 0;
    // The loop ends; the child was killed.
    virtual void loop_ends() noexcept {}

   protected:
    ~watcher() = default;
  };

  static reaper& of(loop& owner) { return attachment::of<reaper>(owner); }
  explicit reaper(loop& owner);
  ~reaper() override;

  // Before the child is made, so that its end is not missed: that a watch can be added without memory, and SIGCHLD is heard. False if the
  // loop is ending. May throw std::bad_alloc.
  bool prepare();
  void watch(pid_t child, watcher& told) noexcept;
  // Whether `child` is reaped now or was before; then the watcher, which is not told, is forgotten.
  bool try_to_reap(pid_t child, exit_status& status) noexcept;
  // Nobody wants to know any more: it is killed, or may go on for so long, and is reaped when it has gone.
  void kill(pid_t child) noexcept;
  void leave(pid_t child, duration patience) noexcept;

 private:
  struct entry {
    pid_t child;
    watcher* told;  // null: nobody
    std::unique_ptr<timer> deadline = {};
  };

  void scheduler_ends() noexcept override;
  void reap_all() noexcept;
  entry* find(pid_t child) noexcept;
  void keep_loop(bool wanted) noexcept;

  loop& loop_;
  std::vector<entry> children_;
  uv_signal_s* signal_ = nullptr;
};

}  // namespace sluice::process
