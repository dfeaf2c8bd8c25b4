#include <sluice/loop.hpp>

#include <cassert>
#include <mutex>
#include <utility>

#include <sluice/error.hpp>

#include "loop_impl.hpp"
#include "thread_check.hpp"

namespace sluice {

loop::loop(const loop_options& options) : impl_(std::make_unique<impl>(*this, options)) {
  static std::once_flag first;
  std::call_once(first, impl::ignore_sigpipe);
}

loop::~loop() {
  assert(!impl_->running && "a loop is not destroyed by what it runs");
  adopt_thread();
  impl_->jobs.refuse();
  impl_->mail->close();  // what waited is destroyed here, and with it what other threads may be waiting for
  close_all();
  impl_->closing = true;
  impl_->close();
}

void loop::run() {
  if (impl_->running) {
    if (!wrong_thread("loop::run")) report_misuse(0, "loop::run was called from inside loop::run");
    return;
  }
  adopt_thread();
  impl_->running = true;
  while (!impl_->stopped && impl_->has_reason_to_run()) uv_run(&impl_->uv, UV_RUN_DEFAULT);
  impl_->running = false;
  impl_->stopped = false;
  rethrow_stored();
}

void loop::stop() {
  if (wrong_thread("loop::stop")) return;
  stop_requested();
}

void loop::stop_requested() {
  impl_->stopped = true;
  if (impl_->running) uv_stop(&impl_->uv);
}

bool loop::is_foreign(const char* call) const noexcept { return wrong_thread(call); }

time_point loop::now() const noexcept { return wrong_thread("loop::now") ? impl::read_clock() : impl_->now(); }

bool loop::post(detail::unique_function function) { return impl_->mail->post(function, "post"); }

loop::remote::remote(const loop& target) noexcept : mail_(target.impl_->mail) {}

bool loop::remote::post(detail::unique_function function) const { return mail_ != nullptr && mail_->post(function, "post"); }

executor_job loop::start_job(std::shared_ptr<detail::job> work, job_lane lane) {
  if (wrong_thread("loop::run_in_executor")) return {};
  return impl_->jobs.start(std::move(work), lane);
}

executor_job loop::start_in_thread(std::shared_ptr<detail::job> work) {
  if (wrong_thread("loop::run_in_thread")) return {};
  return impl_->jobs.start_in_thread(std::move(work));
}

bool loop::portable_streams() const noexcept { return impl_->portable_streams; }

loop_counters loop::counters() const noexcept {
  return {scheduler::counters(), impl_->iterations, impl_->functions_posted, impl_->signals_handled, impl_->jobs.started()};
}

uv_loop_s* loop::native_handle() noexcept { return &impl_->uv; }

void loop::deferred_pending() noexcept { impl_->stay_awake(); }

void loop::deadline_changed() noexcept { impl_->move_alarm(); }

}  // namespace sluice
