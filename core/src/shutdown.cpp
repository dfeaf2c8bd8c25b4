#include <sluice/shutdown.hpp>

#include <new>
#include <string>
#include <utility>

#include <sluice/detail/time_span.hpp>
#include <sluice/error.hpp>

#include "ending.hpp"
#include "scheduler_parts.hpp"
#include "thread_check.hpp"
#include "transport_name.hpp"

namespace sluice {

void shutdown(scheduler& owner, duration deadline, shutdown_handler done) { owner.begin_ending(deadline, std::move(done)); }

void scheduler::begin_ending(duration deadline, shutdown_handler done) {
  if (wrong_thread("shutdown") || closing_all_) return;
  if (ending_ != nullptr) {
    ending_->add(deadline, std::move(done));
    return;
  }
  auto fresh = std::make_unique<ending>(*this);
  fresh->add(deadline, std::move(done));
  ending_ = std::move(fresh);
  const cork_guard turn(*this);
  ending_->begin();
}

scheduler::ending::~ending() {
  owner_.forget(*this);
  owner_.cancel_timer(*this);
}

void scheduler::ending::add(duration deadline, shutdown_handler done) {
  handlers_.reserve(handlers_.size() + 1);
  const time_point at = detail::later(owner_.now(), detail::bounded(deadline));
  if (timer_index == no_timer || at < deadline_) {
    owner_.set_timer(*this, at);
    deadline_ = at;
  }
  if (done != nullptr) handlers_.push_back(std::move(done));
}

void scheduler::ending::begin() {
  report_.asked = owner_.open_transports();
  owner_.for_each_resource([](detail::resource& each) { each.shut_down(); });
  owner_.for_each_live_transport([](detail::tenant& each) { each.shut_down(); });
  look_whether_done();
}

void scheduler::ending::look_whether_done() {
  if (owner_.all_released()) owner_.defer(*this);
}

void scheduler::ending::on_event(detail::event_node& node, detail::event kind) {
  auto& self = static_cast<ending&>(node);
  const cork_guard turn(self.owner_);
  switch (kind) {
    case detail::event::expired: self.cut_off(); return;
    case detail::event::deferred: self.finish(); return;
    case detail::event::retired: return;  // is for transports
  }
}

// Whatever the protocols do about it: nothing of theirs is waited for any more.
void scheduler::ending::cut_off() {
  try {
    list_what_is_left();
  } catch (const std::bad_alloc&) {
    owner_.report({error_source::shutdown, 0, errc::timed_out, nullptr, "aborted at the deadline: more than there is memory to list"});
  }
  owner_.terminate_all(errc::timed_out);
  look_whether_done();
}

void scheduler::ending::list_what_is_left() {
  std::string left;
  owner_.for_each_live_transport([&](const detail::tenant& each) {
    report_.aborted.push_back(each.id());
    left += ' ' + detail::name_of(each);
  });
  if (!left.empty()) owner_.report({error_source::shutdown, 0, errc::timed_out, nullptr, "aborted at the deadline:" + left});
}

void scheduler::ending::finish() {
  if (!owner_.all_released()) return;  // something was opened meanwhile: its end comes here again
  const std::unique_ptr<ending> last = std::move(owner_.ending_);
  for (const shutdown_handler& done : handlers_) {
    detail::unique_function call = [&] { done(report_); };
    owner_.run_turn(call, error_source::scheduled, "shutdown handler");
  }
}

}  // namespace sluice
