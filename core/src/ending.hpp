#pragma once

#include <sluice/shutdown.hpp>

#include <vector>

namespace sluice {

// A shutdown that is under way: deferred for its end, with the deadline as its timer.
class scheduler::ending final : private detail::event_node {
 public:
  explicit ending(scheduler& owner) noexcept : event_node(&ending::on_event), owner_(owner) {}
  ~ending();

  // Throws std::bad_alloc with nothing changed.
  void add(duration deadline, shutdown_handler done);
  void begin();
  // To be called when a transport has given back its handle.
  void look_whether_done();

 private:
  static void on_event(detail::event_node& node, detail::event kind);
  void cut_off();
  void list_what_is_left();
  void finish();

  scheduler& owner_;
  time_point deadline_{};
  std::vector<shutdown_handler> handlers_;
  shutdown_report report_;
};

}  // namespace sluice
