#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <system_error>
#include <vector>

#include <sluice/loop.hpp>

#include "executor.hpp"
#include "mailbox.hpp"

namespace sluice {

// libuv's side of a loop. None of its own handles counts for libuv as a reason to go on, but for `wake`, which stands for everything that
// the scheduler knows of and libuv does not: transports without a handle, timers, deferred calls, jobs.
struct loop::impl {
  struct signal_watch {
    uv_signal_t handle;
    impl* home;
    std::shared_ptr<const std::function<void()>> handler;  // shared with the call that is running, which may replace it
  };

  impl(loop& self, const loop_options& options);

  static time_point read_clock() noexcept;
  time_point now() noexcept;

  bool has_reason_to_run() noexcept;
  void stay_awake() noexcept;
  void move_alarm() noexcept;
  void close() noexcept;

  std::error_code watch(int number, std::function<void()> handler);
  bool unwatch(int number) noexcept;
  static void ignore_sigpipe() noexcept;

  loop& owner;
  uv_loop_t uv{};
  std::shared_ptr<detail::mailbox> mail;
  detail::executor jobs;
  const bool portable_streams;
  bool running = false;
  bool stopped = false;
  bool closing = false;
  std::uint64_t iterations = 0;
  std::uint64_t functions_posted = 0;
  std::uint64_t signals_handled = 0;

 private:
  template <typename Handle>
  static impl& of(Handle* handle) noexcept {
    return *static_cast<impl*>(handle->data);
  }
  bool knows_reason_to_run() const noexcept;
  void keep_running(bool wanted) noexcept;
  bool is_due() noexcept;
  void before_sleep() noexcept;
  void run_posted() noexcept;
  void run_deferred_and_due() noexcept;
  void fire_timers() noexcept;
  void run_handler(const signal_watch& watch) noexcept;
  void close_what_is_left() noexcept;

  uv_async_t wake_{};
  uv_timer_t alarm_{};      // for the earliest deadline of all; may go off too early, never too late
  uv_idle_t idle_{};        // active while something is deferred or due, so that the loop does not sleep
  uv_prepare_t prepare_{};  // once per iteration, before the loop sleeps
  std::vector<detail::mailbox::entry> batch_;
  std::map<int, std::unique_ptr<signal_watch>> signals_;
  time_point clock_{};
  std::int64_t alarm_at_ = 0;   // milliseconds on libuv's clock
  bool clock_is_read_ = false;  // since the loop last slept
  bool kept_running_ = true;
  bool firing_ = false;
};

}  // namespace sluice
