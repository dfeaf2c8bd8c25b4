#pragma once

#include <sluice/detail/node_call.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {

/// A function that is called in the next turn, as often as that is asked for. Lives inside the object that it serves; asking cannot fail and
/// allocates nothing. For whoever has to put something off where no exception may leave, such as a channel inside its hooks; for a call that
/// is made once, `scheduler::call_soon` is enough.
///
/// The function runs in the order of `call_soon` (rule K3), never inside `schedule`. An exception goes to the error hook. The function may
/// schedule, cancel or destroy the call. Scheduler's thread only.
class deferred_call : private detail::node_call {
 public:
  /// `owner` must outlive this or be destroyed without `schedule` being called again. Captures of up to 48 bytes cost no allocation.
  deferred_call(scheduler& owner, detail::unique_function function);
  /// Cancels it.
  ~deferred_call();

  /// Once, however often it is asked for before. Does nothing on a scheduler that is being destroyed.
  void schedule() noexcept;
  /// Does nothing if it is not scheduled.
  void cancel() noexcept;

  bool is_scheduled() const noexcept { return deferred; }

 private:
  static void due(detail::event_node& node, detail::event);
};

}  // namespace sluice
