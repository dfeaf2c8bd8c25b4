#pragma once

#include <concepts>
#include <functional>
#include <future>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <sluice/counters.hpp>
#include <sluice/detail/job.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/executor.hpp>
#include <sluice/scheduler.hpp>

struct uv_loop_s;

namespace sluice {

namespace detail {
class mailbox;
}

struct loop_options {
  executor_options executor;
  /// Connections over TCP and Unix sockets move their bytes through libuv's own streams, and not through a descriptor that `uv_poll`
  /// watches: the default where there is no poll. The contract is the same but for what those streams cannot do: a reset by the peer is not
  /// noticed while nothing is read (rules R7, E11), `stream_options::report_hangup_while_paused` has no effect, and no descriptors are
  /// passed (rule P7).
#ifdef _WIN32
  bool portable_streams = true;
#else
  bool portable_streams = false;
#endif
};

/// The scheduler that libuv drives: one thread, its descriptors, timers, signals, and the ways in from other threads.
///
/// ```cpp
/// sluice::loop loop;
/// sluice::timer once(loop, [&] { loop.stop(); });
/// once.start(std::chrono::seconds(1));
/// loop.run();
/// ```
///
/// Only `post`, `submit` and the making of a `remote` may be called from other threads (rule K2). The clock is read at most once each time
/// that the loop wakes up, and all that happens until it sleeps again sees that time; outside `run` each call of `now` reads it. Timers
/// have a resolution of one millisecond and never fire before their deadline on this clock.
///
/// The first loop of a process sets SIGPIPE to ignored if it stands at its default (rule G2). A standard descriptor (0, 1 or 2) that is
/// closed when a loop is made becomes /dev/null, so that no socket gets its number and, with it, what the program prints.
class loop final : public scheduler {
 public:
  class remote;

  /// Throws `std::system_error` if the system has no descriptors left, or for a limit of 0 in the options.
  explicit loop(const loop_options& options = {});

  /// Ends what is still open: each transport's protocol gets `connection_lost(errc::aborted)`, posted functions that did not run and
  /// completions are destroyed uncalled, signals return to their defaults, and work that is running on other threads is waited for as long
  /// as `executor_options::join` says (rules L14, K4). Not from inside `run`.
  ~loop() override;

  /// Runs until `stop()`, or until nothing is left that could wake the loop: no open server or transport, no running timer, no posted
  /// function, no unfinished job. Signal handlers and remotes do not keep it running. May be called again, also from another thread, which
  /// is the loop's from then on. Under `on_error(stop_and_rethrow)` it throws the first error.
  void run();

  /// Makes `run` return once what is ready now has been handled; the rest waits for the next `run`. Before `run`, the next one returns at
  /// once. From another thread: `post([&] { loop.stop(); })`.
  void stop();

  time_point now() const noexcept override;

  /// Any thread. Calls `function` in the loop's thread: functions of one thread run in the order in which that thread posted them, those
  /// that wait together run in one turn, and what they throw goes to the error hook (rule K1). False, with `function` destroyed uncalled,
  /// once the destructor has begun; whoever cannot know that the loop still exists needs a `remote`.
  bool post(detail::unique_function function);

  /// Any thread. As `post`, with a future for what `function` returns or throws. If the loop ends first, the future throws
  /// `std::future_error` (broken_promise). Waiting for the future in the loop's own thread is a deadlock.
  template <typename F>
  auto submit(F&& function) -> std::future<std::invoke_result_t<std::decay_t<F>&>>;

  /// Calls `work()` on a thread of the pool and then, in a turn of the loop, `completion` with its `job_result`. What the completion
  /// throws goes to the error hook, so `result.get()` without a look is right where failure is not expected. `work` is destroyed on the
  /// thread that it ran on, `completion` always on the loop's, so it may hold a `transport_ref` to what may be gone by then (rule K5).
  /// A thread that cannot be made is an error in the result. Refused, with an empty handle, once the destructor has begun (rule K4).
  template <std::invocable Work, std::invocable<job_result<std::invoke_result_t<std::decay_t<Work>&>>> Completion>
  executor_job run_in_executor(Work&& work, Completion&& completion, job_lane lane = job_lane::general);

  /// As `run_in_executor`, on a thread of its own, for calls that may block for so long that they would starve the pool.
  template <std::invocable Work, std::invocable<job_result<std::invoke_result_t<std::decay_t<Work>&>>> Completion>
  executor_job run_in_thread(Work&& work, Completion&& completion);

  /// Calls `handler` in a turn of the loop, not in the signal's context, when signal `number` has arrived; several that arrive close
  /// together may be told as one. There is one handler per signal and loop: a second call replaces it, also from inside the handler. Each
  /// loop of the process with a handler is told (rule G1).
  void on_signal(int number, std::function<void()> handler);
  /// As above, but an invalid number, one that cannot be caught, or an empty handler is an error (`std::errc::invalid_argument`) in `error`
  /// instead of a `std::system_error`.
  void on_signal(int number, std::function<void()> handler, std::error_code& error);
  /// Once the last loop's handler is gone, the signal does again what it does by default; SIGPIPE is ignored. False if there is none here.
  bool remove_signal(int number);

  /// As in the options.
  bool portable_streams() const noexcept;

  /// Reading them costs nothing; hides `scheduler::counters`, whose values are in it.
  loop_counters counters() const noexcept;

  /// libuv's loop, for handles of your own: valid as long as this object, and an active handle keeps `run` running. Close your handles
  /// before this object ends. Its callbacks must not throw; `scheduler::cork` makes a turn of one.
  uv_loop_s* native_handle() noexcept;

 private:
  friend class detail::executor;
  friend class stream_transport;
  struct impl;

  void deferred_pending() noexcept override;
  void deadline_changed() noexcept override;
  void stop_requested() override;

  executor_job start_job(std::shared_ptr<detail::job> work, job_lane lane);
  executor_job start_in_thread(std::shared_ptr<detail::job> work);
  bool is_foreign(const char* call) const noexcept;

  std::unique_ptr<impl> impl_;
};

/// A way into a loop for threads that may outlive it: small, copyable, and safe to use when the loop is gone. Any thread; copies are
/// independent, one object is not for two threads at a time.
class loop::remote {
 public:
  /// Leads nowhere.
  remote() noexcept = default;
  /// Any thread, while `target` exists.
  explicit remote(const loop& target) noexcept;

  /// As `loop::post`. False once the loop's destructor has begun; `function` is then destroyed uncalled, in this thread (rule K1).
  bool post(detail::unique_function function) const;

  /// As `loop::submit`.
  template <typename F>
  auto submit(F&& function) const -> std::future<std::invoke_result_t<std::decay_t<F>&>>;

 private:
  std::shared_ptr<detail::mailbox> mail_;
};

template <typename F>
auto loop::submit(F&& function) -> std::future<std::invoke_result_t<std::decay_t<F>&>> {
  return remote(*this).submit(std::forward<F>(function));
}

template <typename F>
auto loop::remote::submit(F&& function) const -> std::future<std::invoke_result_t<std::decay_t<F>&>> {
  std::packaged_task<std::invoke_result_t<std::decay_t<F>&>()> task(std::forward<F>(function));
  auto future = task.get_future();
  post(std::move(task));
  return future;
}

template <std::invocable Work, std::invocable<job_result<std::invoke_result_t<std::decay_t<Work>&>>> Completion>
executor_job loop::run_in_executor(Work&& work, Completion&& completion, job_lane lane) {
  using job_type = detail::typed_job<std::decay_t<Work>, std::decay_t<Completion>>;
  return start_job(std::make_shared<job_type>(std::forward<Work>(work), std::forward<Completion>(completion)), lane);
}

template <std::invocable Work, std::invocable<job_result<std::invoke_result_t<std::decay_t<Work>&>>> Completion>
executor_job loop::run_in_thread(Work&& work, Completion&& completion) {
  using job_type = detail::typed_job<std::decay_t<Work>, std::decay_t<Completion>>;
  return start_in_thread(std::make_shared<job_type>(std::forward<Work>(work), std::forward<Completion>(completion)));
}

}  // namespace sluice
