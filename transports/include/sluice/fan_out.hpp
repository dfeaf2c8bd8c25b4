#pragma once

#include <sluice/bytes.hpp>
#include <sluice/detail/chunk.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/protocol.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/transport.hpp>
#include <sluice/transport_ref.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <system_error>

namespace sluice {

/// What to do with a message for which a sink has no room left.
enum class overflow : std::uint8_t {
  backpressure,  ///< Take it, and hold the source until the sink has caught up: nothing is lost, and the slowest such sink sets the pace.
  drop_oldest,   ///< Drop the oldest messages that wait for it, as many as make room.
  drop_newest,   ///< Drop the message.
  disconnect     ///< Abort the sink's connection.
};

/// What one sink, or all of a `fan_out` together, got and did not get.
struct fan_out_counters {
  struct tally {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const tally&, const tally&) = default;
  };
  tally sent;               ///< Given to the transport, which delivers them unless it fails.
  tally dropped_oldest;     ///< Dropped to make room for later ones.
  tally dropped_newest;     ///< Dropped for want of room.
  tally disconnected;       ///< Waited when the sink was disconnected because it had no room, and the one that it had none for.
  tally left;               ///< Waited when the sink left or its connection ended, or came when that was under way.
  std::uint64_t holds = 0;  ///< How often the source was held for it.
};

/// How much may wait for one sink, and what happens beyond that. A message always has room where nothing waits.
struct sink_options {
  overflow policy = overflow::disconnect;
  /// What may wait, in bytes: here, and in the transport, whose high mark is lowered to half of it. At least 1.
  std::size_t most_bytes = std::size_t{256} * 1024;
  /// Where the transport answers `info<line_speed>()`: how long the line may be busy with what waits, if that is less than `most_bytes`; 0
  /// is no limit of this kind.
  duration most_line_time = std::chrono::seconds(5);
};

/// One source, many sinks: gives each message to every sink that has joined, whole and in order or not at all, and never waits for one.
///
/// A sink that takes nothing costs the others nothing: for each, what it has not taken waits in a queue of its own, and beyond its limit its
/// policy decides. While a sink keeps up, a message that lies in the receive buffer goes to it without a copy. Sinks may join and leave
/// at any time, in every callback; whoever joins while a message is given out gets the next one.
///
///     fan_out hub(loop);
///     tcp::server server(loop, [&] { return std::make_unique<fan_out::sink>(hub); });   // each client gets …
///     tcp::connect(loop, feed, [&] { return hub.make_source(); }).detach();             // … what comes from there
///
/// Scheduler's thread only.
class fan_out {
 public:
  class sink;
  /// Told that the source's connection is over.
  using source_handler = std::function<void(std::error_code reason)>;

  explicit fan_out(scheduler& owner);
  fan_out(const fan_out&) = delete;
  fan_out& operator=(const fan_out&) = delete;
  /// Every sink leaves; connections live on.
  ~fan_out();

  /// Gives `message` to every sink. An empty one is none. Not from inside a callback that this very call makes, which are the sinks'
  /// `pause_writing`: that is misuse, and nothing happens.
  void write(const_bytes message);

  /// The transport whose input is given to `write`: it is held while a sink with `overflow::backpressure` is above its limit, and when it has
  /// ended it is forgotten. Replaces the one before.
  void set_source(transport& from);
  void clear_source();
  /// A protocol that is all of that: it makes its transport the source and writes what it receives; each read is a message.
  protocol_ptr make_source(source_handler on_end = {});

  /// A sink with `overflow::backpressure` is above its limit: whoever writes and is no transport should wait for `on_ready`.
  bool is_blocked() const noexcept { return blocked_ != 0; }
  /// Called when `is_blocked()` has become false; what it throws goes to the error hook.
  void on_ready(std::function<void()> handler) { on_ready_ = std::move(handler); }

  std::size_t sinks() const noexcept { return count_; }
  /// `visit` may make any sink leave.
  void for_each_sink(const std::function<void(sink&)>& visit);
  /// `sink::close()` for each.
  void close_sinks();

  /// Of all sinks that there are and were.
  const fan_out_counters& counters() const noexcept { return counters_; }

 private:
  class source;
  struct walker;

  void join(sink& joined) noexcept;
  void leave(sink& gone) noexcept;
  void block(bool on);
  template <typename Visit>
  void walk(Visit visit);

  scheduler& owner_;
  detail::local_ptr<fan_out*> self_;  // null once this object is gone
  sink* first_ = nullptr;
  sink* last_ = nullptr;
  walker* walking_ = nullptr;
  std::size_t count_ = 0;
  std::size_t blocked_ = 0;
  std::uint64_t round_ = 0;
  bool writing_ = false;
  transport_ref source_;
  std::function<void()> on_ready_;
  detail::chunk_pool pool_;
  fan_out_counters counters_;
};

/// The protocol of a sink: joins when it is made, leaves when it is lost; before it is replaced by another, call `leave`, or what waits is
/// dropped. Its input is dropped; derive from it to use that. An override of one
/// of the callbacks below that are not `data_received` calls this one, too.
class fan_out::sink : public protocol {
 public:
  /// If `hub` goes before the connection is made, that is closed at once. Throws `std::invalid_argument` for a limit of 0.
  explicit sink(fan_out& hub, const sink_options& settings = {});
  ~sink() override;

  /// Gets no further message; the connection lives on, and what waits is still sent.
  void leave();
  /// As `leave`, and the connection closes once it has sent everything.
  void close();

  /// Null before it is made and from `connection_lost` on.
  transport* connection() const noexcept { return connection_; }
  /// Bytes that were written and that the system has not taken, and how long a line of a known speed is busy with them (0 for all others).
  std::size_t waiting_bytes() const noexcept;
  duration waiting_line_time() const;
  /// What `most_bytes` and `most_line_time` come to on this connection, in bytes.
  std::size_t limit() const noexcept { return limit_; }
  const fan_out_counters& counters() const noexcept { return counters_; }

  void connection_made(transport& made) override;
  void data_received(const_bytes) override {}
  /// As `close()`: a peer that sends no more does not hold the source any longer.
  eof eof_received() override;
  backpressure pause_writing() override;
  void resume_writing() override;
  /// As `close()`.
  shutdown_action shutting_down() override;
  void connection_lost(std::error_code reason) override;

 private:
  friend class fan_out;
  using tally = fan_out_counters::tally;

  fan_out* hub() const noexcept { return is_member_ ? *hub_ : nullptr; }
  void take(const_bytes message);
  void give(const_bytes message);
  void send(const_bytes message);
  void queue(const_bytes message);
  void overflowed(const_bytes message);
  bool has_room_for(std::size_t bytes);
  bool keeps_up() const noexcept { return messages_ == 0 && !is_paused_; }
  void pump();
  void pump_one();
  void drop_front(tally fan_out_counters::*reason);
  void drop_all(tally fan_out_counters::*reason);
  std::uint32_t take_length();
  void count(tally fan_out_counters::*reason, std::size_t bytes) noexcept;
  void set_blocking(bool on);

  detail::local_ptr<fan_out*> hub_;
  sink_options settings_;
  std::size_t limit_;
  transport* connection_ = nullptr;
  sink* previous_ = nullptr;
  sink* next_ = nullptr;
  std::uint64_t joined_in_ = 0;
  bool is_member_ = false;
  bool is_paused_ = false;
  bool is_blocking_ = false;
  detail::chunk_queue queue_;  // each message behind its length
  std::size_t messages_ = 0;   // in the queue
  fan_out_counters counters_;
};

}  // namespace sluice
