#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <sluice/bytes.hpp>
#include <sluice/result.hpp>
#include <sluice/serial/error.hpp>
#include <sluice/serial/settings.hpp>

namespace sluice::serial {

/// The lines beside the data, true where they are on (active).
struct modem_lines {
  bool dtr = false;  ///< Ours.
  bool rts = false;  ///< Ours.
  bool cts = false;
  bool dsr = false;
  bool ring = false;
  bool carrier = false;
  friend bool operator==(const modem_lines&, const modem_lines&) = default;
};

/// What the driver has counted since it was loaded. The difference of two is what happened between them, also where a number began anew.
struct line_counters {
  std::uint32_t cts_changes = 0;
  std::uint32_t dsr_changes = 0;
  std::uint32_t ring_changes = 0;
  std::uint32_t carrier_changes = 0;
  std::uint32_t received = 0;
  std::uint32_t sent = 0;
  std::uint32_t framing_errors = 0;
  std::uint32_t parity_errors = 0;
  std::uint32_t overruns = 0;         ///< Characters that came faster than the interface was emptied.
  std::uint32_t buffer_overruns = 0;  ///< Characters that came faster than this program read.
  std::uint32_t breaks = 0;

  friend line_counters operator-(const line_counters& later, const line_counters& earlier) noexcept;
  friend bool operator==(const line_counters&, const line_counters&) = default;
};

/// What is done with one of our own lines.
enum class line_level : std::uint8_t {
  keep,
  on,
  off
};

/// Against whom a line is locked. All that are on are taken, or none and opening fails with `errc::port_busy`.
struct lock_choices {
  bool advisory = true;    ///< `flock`, which most programs look at; also between two openings of this process.
  bool exclusive = true;   ///< TIOCEXCL: further openings fail in the system, except those of root.
  bool lock_file = false;  ///< `LCK..name` in /var/lock, which older programs look at; one whose process is gone is replaced.
  friend bool operator==(const lock_choices&, const lock_choices&) = default;
};

/// How a line is opened and left.
struct open_settings {
  settings line = {};
  /// Linux raises both at the moment of opening, whatever is said here; `off` lowers them right after. A device that resets on DTR needs
  /// `keep` and `hang_up_on_close` off, from the first program on that opens it.
  line_level dtr = line_level::keep;
  line_level rts = line_level::keep;
  /// The system lowers DTR and RTS when the last one closes the line.
  bool hang_up_on_close = true;
  /// The settings that were found are put back before closing.
  bool restore_on_close = false;
  /// Asks the driver to hand over each byte at once, and an adapter that collects bytes to do so for 1 ms only; what came of it is
  /// `opened::low_latency` and `opened::latency_timer`.
  bool low_latency = false;
  lock_choices lock = {};
};

/// What the line turned out to be.
struct opened {
  /// As the driver reads them back. Whoever opened compares them with what was asked.
  settings line;
  /// The driver's name, if it is known.
  std::string driver = {};
  /// The driver is of a kind that stores some settings without a meaning, or drops them (a pseudo-terminal): what deviates does no harm.
  bool pretends = false;
  /// What the system said where `open_settings::low_latency` was asked for and is not on.
  std::error_code low_latency = {};
  /// How long the adapter collects what it received before it hands it over, where the driver tells: no silence below it can be seen.
  std::optional<std::chrono::milliseconds> latency_timer = {};
};

/// Bytes that moved; none without an error means "not now".
struct io_result {
  std::size_t bytes = 0;
  std::error_code error = {};
};

/// What was written and has not left.
struct output_state {
  /// In the driver's memory; 0 where a driver does not say.
  std::size_t queued = 0;
  /// Nor is anything left in the interface itself, as far as the driver can tell.
  bool transmitter_empty = true;
};

enum class interest : std::uint8_t {
  none = 0,
  input = 1,
  output = 2,
  both = 3
};

enum class direction : std::uint8_t {
  input = 1,
  output = 2,
  both = 3
};

/// Who is told what happens on a device; its channel.
class device_listener {
 public:
  /// It can be read from or written to, as it is watched for. Comes again, each time in a turn of its own, while it holds and is watched.
  virtual void ready(interest what) = 0;
  /// It is gone, unplugged or hung up: at once, also while nothing is watched, and once at most. All calls fail from now on.
  virtual void gone(std::error_code why) = 0;

 protected:
  ~device_listener() = default;
};

/// All that a serial transport asks of a line. `posix_serial` is the one of the system, `simulated_line` has two for tests; both are used through
/// this class alone, so that what is shown on the second holds for the first.
///
/// One opening in its life: opened once, closed once, and destroyed at any time after that, also from inside a handler. All calls come on the scheduler's thread, and only `open` and `close` may take long,
/// so they answer later. Nothing here calls back from inside a call. Errors are the system's; a device that is gone gives EIO.
class device {
 public:
  device(const device&) = delete;
  device& operator=(const device&) = delete;
  virtual ~device() = default;

  using open_handler = std::function<void(result<opened>)>;

  /// Opens, locks, applies and reads back, without blocking the thread. `done` is called once, in a later turn, unless `close` comes first. After an
  /// error nothing is held any more; the result's detail says what stood in the way, and what would help.
  virtual void open(const open_settings& wanted, open_handler done) = 0;

  /// Gives everything back, at once as seen from here: an opening under way is given up, output that has not left is dropped, and the
  /// listener is told nothing any more. `done` is called once, in a later turn, when the system has taken the line back: locks are free then.
  /// Not called if the scheduler ends before. May be called in any state, once.
  virtual void close(std::function<void()> done) = 0;

  // Only between a successful opening and `close`.

  /// Applies at once and reads back. What waits in the driver leaves with the new settings: whoever minds waits before until it has left.
  virtual result<settings> configure(const settings& wanted) = 0;

  /// Must be set before `watch`; outlives the time until `close`.
  virtual void set_listener(device_listener* told) noexcept = 0;
  /// What `ready` is to be told of, until the next call. Nothing at first. Costs system calls only where it changes.
  virtual void watch(interest what) = 0;

  virtual io_result read(mutable_bytes into) = 0;
  /// Takes bytes from the front of `parts` (none empty). Less than all means that the device has no room.
  virtual io_result write(std::span<const const_bytes> parts) = 0;
  virtual result<output_state> output() = 0;
  /// Drops what the driver holds.
  virtual std::error_code discard(direction which) = 0;
  /// Holds the line in the break state, or ends that.
  virtual std::error_code set_break(bool on) = 0;
  virtual result<modem_lines> lines() = 0;
  virtual std::error_code set_lines(line_level dtr, line_level rts) = 0;
  virtual result<line_counters> counters() = 0;

  /// What it is called in errors: its path.
  virtual std::string name() const = 0;
  /// The system's descriptor; -1 if there is none.
  virtual int native_handle() const noexcept { return -1; }

 protected:
  device() = default;
};

}  // namespace sluice::serial
