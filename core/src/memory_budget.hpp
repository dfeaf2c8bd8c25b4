#pragma once

#include <sluice/scheduler.hpp>

namespace sluice {

// Watches what all connections of a scheduler hold back together, and takes one step each time that it has grown too much; all steps are
// taken back when it has shrunk. The pool calls when a mark is crossed, so that nothing is paid between the marks.
class scheduler::memory_budget final : private detail::event_node, private detail::chunk_pool::watcher {
 public:
  explicit memory_budget(scheduler& owner) noexcept : event_node(&memory_budget::on_event), owner_(owner) {}
  ~memory_budget();

  void set(std::size_t bytes);
  std::size_t bytes() const noexcept { return budget_; }
  bool is_exceeded() const noexcept { return exceeded_; }

 private:
  static void on_event(detail::event_node& node, detail::event);
  void mark_crossed() noexcept override;
  void take_step();
  void hold_accepting();
  void hold_largest();
  void release_all();
  void arm();

  scheduler& owner_;
  std::size_t budget_ = 0;
  std::size_t next_step_ = 0;  // bytes in use above which another step is taken
  bool exceeded_ = false;
};

}  // namespace sluice
