#include <sluice/deferred_call.hpp>

#include <utility>

#include "thread_check.hpp"

namespace sluice {

deferred_call::deferred_call(scheduler& owner, detail::unique_function function)
    : node_call(owner, std::move(function), &deferred_call::due) {
  shares_turn = true;
}

deferred_call::~deferred_call() { cancel(); }

void deferred_call::schedule() noexcept {
  if (!owner().wrong_thread("deferred_call::schedule") && !owner().closing_all_) owner().defer(*this);
}

void deferred_call::cancel() noexcept {
  if (is_scheduled() && !owner().wrong_thread("deferred_call::cancel")) owner().forget(*this);
}

void deferred_call::due(detail::event_node& node, detail::event) { static_cast<deferred_call&>(node).call("deferred_call"); }

}  // namespace sluice
