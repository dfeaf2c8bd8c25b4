#include <sluice/detail/node_call.hpp>

#include <utility>

namespace sluice::detail {

node_call::node_call(scheduler& owner, unique_function function, handler on_event)
    : event_node(on_event), owner_(owner), function_(std::move(function)) {}

node_call::~node_call() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

// The function may destroy this, so it runs from the stack and goes back only if there is somewhere to go.
void node_call::call(const char* what) {
  bool destroyed = false;
  bool* const outer = std::exchange(destroyed_, &destroyed);
  unique_function function = std::move(function_);
  owner_.run_turn(function, error_source::scheduled, what);
  if (destroyed) {
    if (outer != nullptr) *outer = true;
    return;
  }
  function_ = std::move(function);
  destroyed_ = outer;
}

}  // namespace sluice::detail
