#pragma once

#include <sluice/detail/event_node.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/scheduler.hpp>

namespace sluice::detail {

// A node that calls one function, as often as it comes up. The function may destroy the object that both live in.
class node_call : protected event_node {
 protected:
  node_call(scheduler& owner, unique_function function, handler on_event);
  ~node_call();

  scheduler& owner() const noexcept { return owner_; }
  // As a turn, or as a part of the one that is running.
  void call(const char* what);

 private:
  scheduler& owner_;
  unique_function function_;
  bool* destroyed_ = nullptr;  // set while the function runs
};

}  // namespace sluice::detail
