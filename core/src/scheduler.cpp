#include <sluice/scheduler.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include "datagram_cork.hpp"
#include "ending.hpp"
#include "memory_budget.hpp"
#include "scheduler_parts.hpp"
#include "thread_check.hpp"
#include "transport_name.hpp"

namespace sluice {

struct scheduler::task final : detail::event_node {
  explicit task(scheduler& scheduler) noexcept : event_node(&task::run_now), owner(scheduler) { shares_turn = true; }

  static void run_now(detail::event_node& node, detail::event) {
    auto& self = static_cast<task&>(node);
    detail::unique_function function = std::move(self.function);
    scheduler& owner = self.owner;
    self.next_free = std::exchange(owner.free_tasks_, &self);
    owner.run_turn(function, error_source::scheduled, "call_soon");
  }

  scheduler& owner;
  detail::unique_function function;
  task* next_free = nullptr;
};

scheduler::scheduler()
    : slots_(detail::slot_table_ptr::make()),
      timers_(detail::local_ptr<detail::timer_heap>::make()),
      default_options_(detail::local_ptr<const stream_options>::make(stream_options{})) {}

scheduler::~scheduler() {
  timers_->clear();  // first, so that nothing that dies below asks the driver, which is gone, to move its wake-up
  for (std::size_t i = 0; i < slots_->size(); ++i)
    if (detail::tenant* left = slots_->occupant(i); left != nullptr && !left->has_owner()) delete left;
  while (first_deferred_ != nullptr) {
    detail::event_node* const node = first_deferred_;
    forget(*node);
    if (node->run == &task::run_now) delete static_cast<task*>(node);  // which may take others off this list
  }
  while (free_tasks_ != nullptr) delete std::exchange(free_tasks_, free_tasks_->next_free);
}

void scheduler::call_soon(detail::unique_function function) {
  if (wrong_thread("scheduler::call_soon") || closing_all_) return;
  task* node = free_tasks_ != nullptr ? std::exchange(free_tasks_, free_tasks_->next_free) : new task(*this);
  node->function = std::move(function);
  defer(*node);
}

void scheduler::defer(detail::event_node& node) noexcept {
  if (node.deferred) return;
  node.deferred = true;
  node.next_node = nullptr;
  const bool first = first_deferred_ == nullptr;
  (first ? first_deferred_ : last_deferred_->next_node) = &node;
  last_deferred_ = &node;
  if (first) deferred_pending();
}

void scheduler::forget(detail::event_node& node) noexcept {
  if (!node.deferred) return;
  node.deferred = false;
  for (detail::event_node** list : {&first_deferred_, &running_}) {
    detail::event_node* previous = nullptr;
    for (detail::event_node* at = *list; at != nullptr; previous = at, at = at->next_node) {
      if (at != &node) continue;
      (previous == nullptr ? *list : previous->next_node) = node.next_node;
      if (last_deferred_ == &node) last_deferred_ = previous;
      return;
    }
  }
}

bool scheduler::run_deferred() {
  running_ = std::exchange(first_deferred_, nullptr);
  last_deferred_ = nullptr;
  bool in_shared_turn = false;
  while (running_ != nullptr) {
    detail::event_node& node = *running_;
    running_ = std::exchange(node.next_node, nullptr);
    node.deferred = false;
    if (node.shares_turn != in_shared_turn) {
      in_shared_turn = node.shares_turn;
      if (in_shared_turn) ++counters_.turns_posted;
      in_shared_turn ? enter_turn() : leave_turn();
    }
    node.run(node, detail::event::deferred);
  }
  if (in_shared_turn) leave_turn();
  return first_deferred_ != nullptr;
}

void scheduler::set_timer(detail::event_node& node, time_point deadline) {
  const std::int64_t before = timers_->empty() ? -1 : timers_->earliest().deadline;
  timers_->set(node, deadline.time_since_epoch().count());
  if (timers_->earliest().deadline != before) deadline_changed();
}

void scheduler::cancel_timer(detail::event_node& node) noexcept {
  const bool was_earliest = node.timer_index == 0;
  timers_->cancel(node);
  if (was_earliest) deadline_changed();
}

bool scheduler::run_next_timer(time_point now) {
  if (timers_->empty()) return false;
  const detail::timer_heap::entry due = timers_->earliest();
  if (due.deadline > now.time_since_epoch().count() || due.order >= timer_limit_) return false;
  timers_->cancel(*due.node);
  ++counters_.timers_fired;
  due.node->run(*due.node, detail::event::expired);
  return true;
}

void scheduler::run_turn(detail::unique_function& function, error_source source, std::string_view what) {
  cork_guard turn(*this);
  try {
    function();
  } catch (...) {
    report({source, 0, errc::callback_failed, std::current_exception(), what});
  }
}

// In the order of the first write. Sending may add records, and settling the last one starts afresh.
void scheduler::flush_cork() noexcept {
  do {
    detail::cork::record& record = cork_.next_record();
    if (record.owner != nullptr) [[likely]]
      record.owner->send_corked(record);
  } while (cork_.record_count() != 0);
}

// A transport that is over is never deferred again, so its node is free to be linked here.
void scheduler::retire(detail::event_node& ended) noexcept {
  if (ended.retired) return;
  forget(ended);
  ended.retired = true;
  ends_rarely_ = true;
  ended.next_node = nullptr;
  (first_retired_ == nullptr ? first_retired_ : last_retired_->next_node) = &ended;
  last_retired_ = &ended;
}

void scheduler::retire(std::unique_ptr<detail::retired_protocols> replaced) noexcept {
  detail::retired_protocols* const last = replaced.release();
  (first_replaced_ == nullptr ? first_replaced_ : last_replaced_->following) = last;
  last_replaced_ = last;
  ends_rarely_ = true;
}

void scheduler::unretire(detail::event_node& gone) noexcept {
  if (!gone.retired) return;
  detail::event_node* previous = nullptr;
  for (detail::event_node* at = first_retired_; at != &gone; at = at->next_node) previous = at;
  (previous == nullptr ? first_retired_ : previous->next_node) = gone.next_node;
  if (last_retired_ == &gone) last_retired_ = previous;
}

// Each of the three may bring about more of the others: callbacks write, and destructors call.
[[gnu::noinline]] void scheduler::end_turn_rarely() noexcept {
  while (ends_rarely_ || cork_.record_count() != 0) {
    ends_rarely_ = false;
    if (datagram_cork_ != nullptr) datagram_cork_->flush();
    if (cork_.record_count() != 0) flush_cork();
    destroy_retired();
  }
}

void scheduler::destroy_retired() noexcept {
  while (first_retired_ != nullptr || first_replaced_ != nullptr) {
    while (first_replaced_ != nullptr) {  // their destructors may retire more
      detail::retired_protocols* const gone = std::exchange(first_replaced_, first_replaced_->following);
      delete gone;
    }
    if (first_retired_ != nullptr) {
      detail::event_node& ended = *first_retired_;
      first_retired_ = ended.next_node;
      ended.retired = false;
      ended.run(ended, detail::event::retired);
    }
    if (cork_.record_count() != 0) flush_cork();  // what destructors wrote belongs to this turn, too
  }
}

void scheduler::add(detail::resource& held) noexcept {
  if (closing_all_) return;
  held.owner_ = this;
  held.round_ = resource_round_;
  held.next_ = resources_;
  if (resources_ != nullptr) resources_->previous_ = &held;
  resources_ = &held;
}

void scheduler::remove(detail::resource& held) noexcept {
  if (held.next_ != nullptr) held.next_->previous_ = held.previous_;
  (held.previous_ == nullptr ? resources_ : held.previous_->next_) = held.next_;
  held.owner_ = nullptr;
  held.previous_ = held.next_ = nullptr;
}

void scheduler::close_all() {
  closing_all_ = true;
  print_what_cannot_be_thrown();
  ending_.reset();
  memory_budget_.reset();
  while (resources_ != nullptr) {
    detail::resource& held = *resources_;
    remove(held);
    held.scheduler_ends();
  }
  std::string leaked;
  for_each_live_transport([&](const detail::tenant& open) { leaked += ' ' + detail::name_of(open); });
  if (!leaked.empty()) report({error_source::leak, 0, errc::leaked, nullptr, "open transports:" + leaked});
  terminate_all(errc::aborted);
}

// Layers end with the transports that own them.
void scheduler::terminate_all(std::error_code reason) noexcept {
  for (std::size_t i = 0; i < slots_->size(); ++i)
    if (detail::tenant* open = slots_->occupant(i); open != nullptr && !open->has_owner()) open->terminate(reason);
}

void scheduler::slot_freed() {
  if (ending_ != nullptr) ending_->look_whether_done();
}

void scheduler::for_each_transport(const std::function<void(transport&)>& visit) {
  for (std::size_t i = 0; i < slots_->size(); ++i)
    if (detail::tenant* open = slots_->occupant(i))
      if (transport* stream = open->as_stream()) visit(*stream);
}

void scheduler::for_each_datagram_transport(const std::function<void(datagram_transport&)>& visit) {
  for (std::size_t i = 0; i < slots_->size(); ++i)
    if (detail::tenant* open = slots_->occupant(i))
      if (datagram_transport* datagrams = open->as_datagrams()) visit(*datagrams);
}

bool scheduler::checks_thread() noexcept { return thread_checks; }

bool scheduler::is_wrong_thread(const char* call) const noexcept {
  if (std::this_thread::get_id() == thread_) return false;
  const_cast<scheduler*>(this)->report_misuse(0, std::string(call) + " was called from another thread than the scheduler's");
  return true;
}

}  // namespace sluice
