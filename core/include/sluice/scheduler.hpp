#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sluice/bytes.hpp>
#include <sluice/counters.hpp>
#include <sluice/detail/attachment.hpp>
#include <sluice/detail/chunk.hpp>
#include <sluice/detail/cork.hpp>
#include <sluice/detail/event_node.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/detail/retired_protocols.hpp>
#include <sluice/detail/slot_table.hpp>
#include <sluice/detail/timer_heap.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/protocol.hpp>

namespace sluice {

class datagram_transport;
class stream_transport;
class transport;
struct shutdown_report;
struct stream_options;

namespace detail {
class datagram_cork;
}

using duration = std::chrono::nanoseconds;
/// Points in time of a scheduler's clock: monotonic, and comparable only within one scheduler.
using time_point = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// Where an error that no `connection_lost` can carry came from.
enum class error_source {
  callback,   ///< A protocol's callback threw; its connection is being aborted, unless it was a flow-control callback (rules X1–X3).
  scheduled,  ///< A function given to `call_soon`, `post`, `run_in_executor`, a timer or a signal threw.
  misuse,     ///< A call that the documentation forbids.
  accept,     ///< A server could not accept, once per episode, or a successor has failed.
  factory,    ///< A protocol factory threw or returned null; the connection was closed (rule L15).
  leak,       ///< A transport was still open when its scheduler was destroyed (rule L14).
  shutdown,   ///< Transports were still open at the deadline of a `shutdown`.
  memory      ///< The memory budget is exceeded: what is done about it, step by step.
};

/// One report to the error hook. Views are valid for the call.
struct error_event {
  error_source source = error_source::callback;
  std::uint64_t transport = 0;        ///< `transport::id()`, 0 if the error concerns none.
  std::error_code code;               ///< Never empty.
  std::exception_ptr exception = {};  ///< What was thrown, if something was.
  std::string_view what = {};         ///< The callback or call concerned, or what was wrong with it.
};

using error_handler = std::function<void(const error_event&)>;

/// "sluice: transport 12: data_received: exception: …", the line that the default handler prints on standard error.
std::string describe(const error_event& event);

/// Argument of `scheduler::on_error`: the first error stops the loop, and `run` (or the test's own driver) throws it.
struct stop_and_rethrow_t {};
inline constexpr stop_and_rethrow_t stop_and_rethrow{};

/// What a misuse does after it was reported.
enum class misuse_action {
  report,  ///< The call did nothing; the program goes on.
  abort    ///< `std::abort`: for debug builds and tests.
};

/// What transports, layers and timers stand on: the clock, timers, deferred calls, the cork of the running turn, pooled memory, the list of
/// open transports and the error hook.
///
/// `loop` is the scheduler that libuv drives, `testing::manual_scheduler` the one that a test drives. Another driver derives from this
/// class and implements the three functions at its end. Everything belongs to one thread.
class scheduler {
 public:
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;
  virtual ~scheduler();

  /// The time of the running turn; the same value as long as it lasts.
  virtual time_point now() const noexcept = 0;

  /// Calls `function` in the next turn, in the order of the calls. Captures of up to 48 bytes cost no allocation in the steady state. A
  /// function that throws is reported; the others run. Functions that did not run when the scheduler ends are destroyed uncalled.
  void call_soon(detail::unique_function function);

  /// While the returned guard lives, and outside a turn, writes are collected as in a turn and leave together at its end, which may call
  /// `pause_writing`. Inside a turn it changes nothing.
  [[nodiscard]] class cork_guard cork();

  /// Replaces the error hook, also from inside it. A handler that throws is caught and printed on standard error (rule X8).
  void on_error(error_handler handler);
  void on_error(stop_and_rethrow_t);
  /// Calls the error hook; for writers of transports, servers and drivers.
  void report(const error_event& event) noexcept;

  /// Runs `function` as one turn, at once; an exception is reported with `source` and `what`. For whoever calls user code on an event.
  void run_turn(detail::unique_function& function, error_source source, std::string_view what);

  void set_misuse(misuse_action action) noexcept { misuse_ = action; }
  /// Reports `what` as misuse of a call on transport `id` and then does what `set_misuse` asked for.
  void report_misuse(std::uint64_t id, std::string_view what) noexcept;

  const scheduler_counters& counters() const noexcept { return counters_; }
  /// Transports and layers that are not given back yet, lingering ones included.
  std::size_t open_transports() const noexcept { return slots_->used(); }
  /// Calls `visit` for each of them that is a stream, in no particular order. `visit` may close and abort, not start.
  void for_each_transport(const std::function<void(transport&)>& visit);
  /// As above, for each that carries datagrams.
  void for_each_datagram_transport(const std::function<void(datagram_transport&)>& visit);

  /// Limits what all connections together hold back: output that waits to be sent and input that waits to be delivered, in pieces of 16
  /// KiB, but not what protocols keep themselves. Above `bytes` servers pause accepting; each time that the use grows by another sixteenth,
  /// reading is held (`hold::memory_budget`, rule R12) for the connections that hold back most; at three quarters all of it is taken back.
  /// Each step is counted and reported to the error hook. 0, as at first, is no limit. A connection that only writes is bounded by
  /// `stream_options::max_write_buffer`.
  void set_memory_budget(std::size_t bytes);
  std::size_t get_memory_budget() const noexcept;
  std::size_t memory_in_use() const noexcept { return pool_.bytes_in_use(); }
  /// The budget is exceeded, and nothing is accepted.
  bool memory_is_short() const noexcept;

  /// Whether this build of the library checks the thread of every call (builds without NDEBUG do): a call from another thread than the
  /// scheduler's is reported as misuse, by name, and does nothing (rule K2).
  static bool checks_thread() noexcept;

  /// Inside a turn, or under a `cork_guard`.
  bool in_turn() const noexcept { return depth_ != 0; }

 protected:
  scheduler();

  /// Something was deferred with nothing pending: `run_deferred` must be called soon, from outside any turn.
  virtual void deferred_pending() noexcept = 0;
  /// The earliest deadline is another one now, or there is none: read `next_deadline`.
  virtual void deadline_changed() noexcept = 0;
  /// An error arrived under `stop_and_rethrow`: return from the driver's run function soon and call `rethrow_stored`.
  virtual void stop_requested() = 0;

  /// For drivers. Runs what is pending now, not what that adds (rule K3). True if something is pending again.
  bool run_deferred();
  /// Fires the earliest timer if it is due at `now`; true if it did. Timers that were set by a timer at the same `now` wait for the next
  /// call of `begin_timers`.
  bool run_next_timer(time_point now);
  void begin_timers() noexcept { timer_limit_ = timers_->next_order(); }
  bool has_deferred() const noexcept { return first_deferred_ != nullptr; }
  bool has_deadline() const noexcept { return !timers_->empty(); }
  time_point next_deadline() const noexcept { return time_point(duration(timers_->earliest().deadline)); }
  void rethrow_stored();
  /// To be called first by the destructor of each driver: every open transport's protocol gets `connection_lost(errc::aborted)`, all handles
  /// are told to go, and what was open is reported as one leak (rule L14). Under `stop_and_rethrow` an error that was not thrown yet, and
  /// those that follow, are printed on standard error, as nothing is driven any more that could throw them.
  void close_all();
  /// The calling thread is the scheduler's from now on; for drivers that are made in one thread and run in another.
  void adopt_thread() noexcept { thread_ = std::this_thread::get_id(); }
  /// True once every transport has given its handle back.
  bool all_released() const noexcept { return slots_->used() == 0; }

 private:
  friend class stream_transport;
  friend class datagram_transport;
  friend class layer;
  friend class deferred_call;
  friend class timer;
  friend class transport_ref;
  friend class datagram_transport_ref;
  friend class detail::attachment;
  friend class detail::resource;
  friend class read_guard;
  friend class cork_guard;
  friend class loop;
  friend void shutdown(scheduler& owner, duration deadline, std::function<void(const shutdown_report&)> done);
  struct task;
  class ending;
  class memory_budget;

  void begin_ending(duration deadline, std::function<void(const shutdown_report&)> done);
  void slot_freed();
  template <typename Visit>
  void for_each_resource(Visit visit);
  template <typename Visit>
  void for_each_live_transport(Visit visit);
  void terminate_all(std::error_code reason) noexcept;

  void defer(detail::event_node& node) noexcept;
  void forget(detail::event_node& node) noexcept;
  void set_timer(detail::event_node& node, time_point deadline);
  void cancel_timer(detail::event_node& node) noexcept;

  void enter_turn() noexcept { ++depth_; }
  void leave_turn() noexcept {
    if (depth_ != 1) {
      --depth_;
      return;
    }
    end_turn();
    depth_ = 0;
  }
  void end_turn() noexcept {
    if (cork_.record_count() != 0) flush_cork();
    if (ends_rarely_) [[unlikely]]
      end_turn_rarely();
  }
  // What a read wrote lies in the memory of the next read, which may come in the same turn: posted functions share one.
  void leave_read() noexcept {
    if (depth_ != 1 && cork_.record_count() != 0) [[unlikely]]
      flush_cork();
    leave_turn();
  }
  void flush_cork() noexcept;
  void end_turn_rarely() noexcept;
  void destroy_retired() noexcept;

  void add(detail::resource& held) noexcept;
  void remove(detail::resource& held) noexcept;

  void retire(detail::event_node& ended) noexcept;
  void retire(std::unique_ptr<detail::retired_protocols> replaced) noexcept;
  void unretire(detail::event_node& gone) noexcept;
  void rethrow_later(const error_event& event) noexcept;
  void print_what_cannot_be_thrown() noexcept;
  bool wrong_thread(const char* call) const noexcept;  // src/thread_check.hpp
  bool is_wrong_thread(const char* call) const noexcept;

  unsigned depth_ = 0;
  bool ends_rarely_ = false;  // datagrams are to be sent, or something destroyed, at the end of the turn
  bool closing_all_ = false;
  bool rethrow_ = false;
  misuse_action misuse_ = misuse_action::report;
  detail::cork cork_;
  detail::chunk_pool pool_;
  std::unique_ptr<detail::datagram_cork> datagram_cork_;  // once there are datagrams
  scheduler_counters counters_;
  detail::slot_table_ptr slots_;
  detail::local_ptr<detail::timer_heap> timers_;
  detail::local_ptr<const stream_options> default_options_;
  detail::event_node* first_deferred_ = nullptr;
  detail::event_node* last_deferred_ = nullptr;
  detail::event_node* running_ = nullptr;
  task* free_tasks_ = nullptr;
  std::uint64_t timer_limit_ = 0;
  detail::retired_protocols* first_replaced_ = nullptr;  // protocols that die when the turn ends
  detail::retired_protocols* last_replaced_ = nullptr;
  detail::event_node* first_retired_ = nullptr;  // transports that have something to give up then
  detail::event_node* last_retired_ = nullptr;
  std::vector<std::pair<const void*, std::unique_ptr<detail::attachment>>> attachments_;
  detail::resource* resources_ = nullptr;
  std::uint32_t resource_round_ = 0;
  std::unique_ptr<ending> ending_;
  std::unique_ptr<memory_budget> memory_budget_;
  std::shared_ptr<const error_handler> on_error_;  // shared with the call that is running, which may replace it
  std::exception_ptr stored_;
  std::thread::id thread_ = std::this_thread::get_id();
};

/// Makes a turn of its lifetime; see `scheduler::cork`.
class cork_guard {
 public:
  explicit cork_guard(scheduler& owner) noexcept : owner_(owner) { owner_.enter_turn(); }
  cork_guard(const cork_guard&) = delete;
  cork_guard& operator=(const cork_guard&) = delete;
  ~cork_guard() { owner_.leave_turn(); }

 private:
  scheduler& owner_;
};

inline cork_guard scheduler::cork() { return cork_guard(*this); }

}  // namespace sluice
