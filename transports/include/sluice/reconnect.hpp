#pragma once

#include <sluice/connecting.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/end_watch.hpp>
#include <sluice/loop.hpp>
#include <sluice/reconnect_machine.hpp>
#include <sluice/schemes.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sluice {

namespace detail {
class kept_output;
}  // namespace detail

/// One step of a `reconnector`, told when it has been taken.
struct reconnect_event {
  enum class kind {
    connected,      ///< The protocol of this attempt has got `connection_made`.
    not_connected,  ///< The attempt failed.
    lost            ///< The connection that there was is over; its protocol has got `connection_lost`.
  };
  kind what;
  std::error_code error;         ///< Why it failed or ended; empty for `connected` and for an end in good order.
  std::string detail;            ///< As `result::detail()` has it; empty if there is no error.
  unsigned attempt;              ///< Of the series, from 1.
  std::optional<duration> next;  ///< How long until the next attempt; nothing if none follows, or if there is a connection.
};

/// May make any call on the reconnector, and destroy it. What it throws goes to the error hook.
using reconnect_observer = std::function<void(const reconnect_event&)>;

/// What `reconnector::write` keeps for the next connection while there is none.
struct kept_output_limits {
  /// Where a message has no room the oldest are dropped, whole. 0 keeps nothing.
  std::size_t most_bytes = 0;
  /// What has waited longer is dropped: a command that comes late may do harm. 0 is no limit.
  duration longest = std::chrono::seconds(10);
};

/// Bytes that were written while there was no connection, and what became of them.
struct kept_output_counters {
  std::uint64_t waiting = 0;
  std::uint64_t sent = 0;            ///< Given to the next connection.
  std::uint64_t dropped_full = 0;    ///< For want of room.
  std::uint64_t dropped_old = 0;     ///< Waited longer than `kept_output_limits::longest`.
  std::uint64_t dropped_at_end = 0;  ///< No further connection is tried.
};

struct reconnect_options {
  reconnect_machine::settings pacing = {};
  kept_output_limits keep = {};
  /// Of the pauses that are drawn; unset: a random one. Tests set it.
  std::optional<std::uint64_t> seed = {};
  reconnect_observer on_event = {};
};

/// What a `reconnector` did since it was made.
struct reconnect_counters {
  std::uint64_t attempts = 0;
  std::uint64_t connections = 0;  ///< Attempts that succeeded.
  std::uint64_t losses = 0;       ///< Connections that ended while it looked after them.
  kept_output_counters kept = {};
};

/// A client that stays connected: it connects, and when that fails or the connection ends, it connects again, each time with a fresh protocol
/// from the factory. When, and how often, is for `reconnect_machine` to say.
///
///     reconnector client(loop, "tcp://127.0.0.1:7000", [] { return std::make_unique<session>(); });
///     client.start();
///
/// Nothing of it is on the way of the bytes: protocols stand directly on their transports, may be switched and upgraded. A shutdown stops it.
/// Scheduler's thread only.
class reconnector final : private detail::resource {
 public:
  /// Begins one attempt, as `tcp::connect` does: it calls the factory and then, in a later turn, `done`, unless what it returned is destroyed
  /// before. What it throws counts as a failed attempt.
  using connect_function = std::function<connecting(protocol_factory, connect_handler)>;

  /// Both throw `std::invalid_argument` for a number in `settings` that makes no sense.
  reconnector(scheduler& owner, connect_function connect, protocol_factory factory, reconnect_options settings = {});
  /// By the schemes of `transport_schemes()`, or of a table of your own.
  reconnector(loop& owner, const endpoint& to, protocol_factory factory, reconnect_options settings = {});
  reconnector(loop& owner, const endpoint& to, const scheme_table& schemes, protocol_factory factory, reconnect_options settings = {});
  /// No further attempt. A connection that there is lives on, without being looked after.
  ~reconnector() override;

  /// Connects now, unless an attempt, a pause or a connection is under way; afterwards, too, this begins anew. Throws what the connect
  /// function throws at this first attempt, such as `bad_endpoint`; then nothing is under way. `errc::closed` (`std::system_error`) if the
  /// scheduler has ended.
  void start();
  /// No further attempt and no further event; what is under way is cancelled, and a connection that there is closes in good order.
  void stop();
  /// Ends a pause: for when something has changed, as when a device was plugged in. An attempt under way is followed by the next at once if
  /// it fails. Otherwise it does nothing.
  void retry_now();

  /// Writes to the connection that there is. Where there is none, or it is closing, the message is kept within `reconnect_options::keep`, and sent
  /// when there is one, behind what its protocol writes in `connection_made` and before `reconnect_event::kind::connected` is told. From inside
  /// `pause_writing` of that protocol, while kept messages are being sent, the message is kept too and goes behind them. What a
  /// connection had taken when it was lost is lost with it, as nobody knows how much of it has arrived. `dropped` if it is not kept, or not
  /// even `start` was called.
  write_status write(const_bytes message);

  /// The connection that there is, or null.
  transport* connection() const noexcept { return connection_.get(); }
  reconnect_machine::state state() const noexcept { return machine_.current(); }
  /// An attempt, a pause or a connection is under way.
  bool is_active() const noexcept { return machine_.is_active(); }
  const reconnect_counters& counters() const noexcept { return counters_; }

 private:
  using kind = reconnect_event::kind;

  void scheduler_ends() noexcept override;
  void shut_down() override;
  void let_go() noexcept;
  void attempt();
  void try_attempt();
  void attempt_ended(const result<transport&>& made);
  bool send_kept(transport& made);
  void attempt_failed(std::error_code error, std::string detail);
  void connection_ended(std::error_code reason);
  void perform(reconnect_machine::action then);
  void tell(kind what, std::error_code error, std::string detail);

  scheduler& owner_;
  connect_function connect_;
  protocol_factory factory_;
  reconnect_observer on_event_;
  reconnect_machine machine_;
  reconnect_counters counters_;
  std::shared_ptr<detail::kept_output> kept_;
  connecting attempt_;
  timer pause_;
  end_watch end_;
  transport_ref connection_;
};

}  // namespace sluice
