#include "loop_impl.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <sluice/error.hpp>

namespace sluice {
namespace {

void check(int result, const char* call) {
  if (result != 0) throw std::system_error(system_error(-result), std::string("sluice::loop: ") + call);
}

// Else the next socket would get the number: what the program prints would go to a client, and libuv aborts when it closes such a one.
void open_standard_descriptors() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(number, F_GETFD) != -1) continue;
    const int opened = ::open("/dev/null", O_RDWR);
    check(opened == -1 ? -errno : 0, "opening /dev/null in place of a closed standard descriptor");
    if (opened > STDERR_FILENO) ::close(opened);  // another thread was faster
  }
}

template <typename Handle>
uv_handle_t* as_handle(Handle& handle) noexcept {
  return reinterpret_cast<uv_handle_t*>(&handle);
}

}  // namespace

loop::impl::impl(loop& self, const loop_options& options)
    : owner(self),
      mail(std::make_shared<detail::mailbox>(wake_)),
      jobs(self, mail, options.executor),
      portable_streams(options.portable_streams) {
  open_standard_descriptors();
  check(uv_loop_init(&uv), "uv_loop_init");
  if (const int result = uv_async_init(&uv, &wake_, [](uv_async_t* handle) { of(handle).run_posted(); })) {
    uv_loop_close(&uv);
    check(result, "uv_async_init");
  }
  uv_timer_init(&uv, &alarm_);
  uv_idle_init(&uv, &idle_);
  uv_prepare_init(&uv, &prepare_);
  wake_.data = alarm_.data = idle_.data = prepare_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { of(handle).before_sleep(); });
  for (uv_handle_t* handle : {as_handle(alarm_), as_handle(idle_), as_handle(prepare_)}) uv_unref(handle);
}

time_point loop::impl::read_clock() noexcept { return time_point(duration(static_cast<std::int64_t>(uv_hrtime()))); }

time_point loop::impl::now() noexcept {
  if (!clock_is_read_ || !running) clock_ = read_clock();
  clock_is_read_ = true;
  return clock_;
}

// What was posted counts only here: during a sleep that nothing else justifies it is noticed without waiting.
bool loop::impl::has_reason_to_run() noexcept {
  keep_running(knows_reason_to_run() || !mail->empty());
  return uv_loop_alive(&uv) != 0;
}

bool loop::impl::knows_reason_to_run() const noexcept {
  return owner.open_transports() != 0 || owner.has_deadline() || owner.has_deferred() || jobs.unfinished() != 0;
}

void loop::impl::keep_running(bool wanted) noexcept {
  if (wanted == std::exchange(kept_running_, wanted)) return;
  wanted ? uv_ref(as_handle(wake_)) : uv_unref(as_handle(wake_));
}

void loop::impl::before_sleep() noexcept {
  ++iterations;
  clock_is_read_ = false;
  keep_running(knows_reason_to_run());
}

void loop::impl::run_posted() noexcept {
  mail->take(batch_);
  const cork_guard turn(owner);
  ++owner.counters_.turns_posted;
  functions_posted += batch_.size();
  for (detail::mailbox::entry& one : batch_) {
    owner.run_turn(one.function, error_source::scheduled, one.what);
    one.function.reset();
  }
  batch_.clear();
}

void loop::impl::stay_awake() noexcept {
  if (!closing) uv_idle_start(&idle_, [](uv_idle_t* handle) { of(handle).run_deferred_and_due(); });
}

void loop::impl::run_deferred_and_due() noexcept {
  if (is_due()) fire_timers();
  if (!owner.run_deferred() && !is_due()) uv_idle_stop(&idle_);
}

bool loop::impl::is_due() noexcept { return owner.has_deadline() && owner.next_deadline() <= now(); }

void loop::impl::fire_timers() noexcept {
  clock_is_read_ = false;
  firing_ = true;
  owner.begin_timers();
  while (owner.run_next_timer(now())) continue;
  firing_ = false;
  move_alarm();
}

// Only an earlier deadline moves the alarm. One that goes off for a deadline that was moved or cancelled costs one turn of the loop, which
// is cheaper than to follow each timer that is set for an answer and stopped when the answer comes.
void loop::impl::move_alarm() noexcept {
  if (firing_ || closing || !owner.has_deadline()) return;
  if (is_due()) {
    stay_awake();
    return;
  }
  const std::int64_t at = std::chrono::ceil<std::chrono::milliseconds>(owner.next_deadline().time_since_epoch()).count();
  if (uv_is_active(as_handle(alarm_)) != 0 && alarm_at_ <= at) return;
  alarm_at_ = at;
  const auto delay = static_cast<std::uint64_t>(std::max<std::int64_t>(0, at - static_cast<std::int64_t>(uv_now(&uv))));
  uv_timer_start(
      &alarm_, [](uv_timer_t* handle) { of(handle).fire_timers(); }, delay, 0);
}

void loop::impl::close() noexcept {
  jobs.shut_down();
  while (!signals_.empty()) unwatch(signals_.begin()->first);
  for (uv_handle_t* handle : {as_handle(wake_), as_handle(alarm_), as_handle(idle_), as_handle(prepare_)}) uv_close(handle, nullptr);
  while (uv_loop_close(&uv) != 0) {
    close_what_is_left();
    uv_run(&uv, UV_RUN_DEFAULT);
  }
}

// Transports have closed their handles by now and wait for libuv to say so. Any other is somebody's mistake, and would keep us for ever.
void loop::impl::close_what_is_left() noexcept {
  const auto close_one = [](uv_handle_t* handle, void* self) {
    if (uv_is_closing(handle) != 0) return;
    const std::string what = std::string("a handle of libuv's loop was left open: ") + uv_handle_type_name(uv_handle_get_type(handle));
    static_cast<impl*>(self)->owner.report({error_source::leak, 0, errc::leaked, nullptr, what});
    uv_close(handle, nullptr);
  };
  uv_walk(&uv, close_one, this);
}

}  // namespace sluice
