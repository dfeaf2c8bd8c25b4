#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <sluice/connecting.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/serial/device.hpp>
#include <sluice/serial/error.hpp>
#include <sluice/serial/marked_input.hpp>
#include <sluice/serial/settings.hpp>
#include <sluice/transport.hpp>

/// Serial lines as transports: the same protocol that runs over TCP runs over `/dev/ttyUSB0`.
///
///     sluice::serial::options line;
///     line.line.baud = 9600;
///     line.line.parity = sluice::serial::parity::even;
///     auto opening = sluice::serial::open(loop, "/dev/serial/by-id/usb-…", factory, report, line);
///
/// A line has no end of input and none of output: `write_eof` is not supported, and a device that is unplugged ends the connection with
/// `errc::device_gone`, once, at whatever moment (rule Z2). docs/serial.md is the guide.
namespace sluice::serial {

class channel;

/// How a line is opened, used and closed; the settings of the line itself are in `line`, how it is locked and left beside it.
struct options : open_settings {
  /// Settings that the driver did not take are an error that names them (`errc::settings_refused`). Off, and always for a pseudo-terminal, which
  /// has no wire, they are only told by `info<settings>()`.
  bool strict = true;
  /// Lets protocols that need every byte run on a line with flow control by XON/XOFF, which keeps 0x11 and 0x13 for itself: for data in
  /// which those two are escaped. Otherwise they are refused with `sluice::errc::bytes_reserved`.
  bool force_xon_xoff = false;
  /// How long opening may take, a driver that waits for its device included, before it fails with `sluice::errc::timed_out`.
  std::chrono::milliseconds open_timeout = std::chrono::seconds(10);
  /// How long `close()` may take until the last bit has left, before what is left is dropped and the reason is `sluice::errc::timed_out`; it
  /// takes the place of `stream.close_timeout`. 0 is 1 s or twice what the line needs for all that is left when it is called, breaks
  /// included, whichever is longer (rule Z3).
  std::chrono::milliseconds close_timeout{0};
  /// The high mark in time on the line: where so many bytes are fewer than `stream.write_buffer.high`, they are the mark, and a quarter of
  /// them is the low one. It follows the speed. 0 counts bytes alone.
  std::chrono::milliseconds write_time = std::chrono::seconds(1);
  /// Bytes are collected until the line was silent for so long, and then delivered together: a packet for one `data_received` (rule Z5). 0
  /// delivers what comes as it comes. Not together with `settings::mark_errors`. Adapters hand bytes over in clumps, so a time below 20 ms needs a line that is known to do better.
  std::chrono::nanoseconds silence{0};
  /// The longest that a packet is collected, from its first byte on: then what there is of it is delivered, without a silence. 0 is as long as
  /// it takes. Without `silence` packets end by this and their size alone. Not together with `settings::mark_errors` either.
  std::chrono::nanoseconds packet_time{0};
  /// The size at which a packet is delivered without a silence. At least 1.
  std::size_t packet_size = 4096;
  /// With `settings::mark_errors`: what becomes of a character that arrived with an error, and of a break. Events are told to the subscriber of
  /// `line_control::on_input_errors`.
  marked_input_options errors = {};
  /// A pause between each two bytes that are written, for devices that cannot keep up; it begins when the byte has left.
  std::chrono::nanoseconds byte_pause{0};
  /// Flow control and closing, as for every transport.
  stream_options stream = {};
};

/// Opens a line, on a thread of its own that is left behind if the driver blocks (rule Z1). `done` is called once, in a later turn: with the
/// transport, whose protocol has got `connection_made`, or with an error whose detail says what stood in the way. `path` is looked up each
/// time, so names in `/dev/serial/by-id` follow the device; or it is `usb:` with a `usb_match`, as in `usb:0403:6001:A1B2`.
connecting open(loop& owner, const std::string& path, protocol_factory factory, connect_handler done = {}, const options& settings = {});

/// The same on a device that somebody else made, such as one end of a simulated line. `line` must not be null
/// (`std::invalid_argument`), nor opened.
connecting open(scheduler& owner, std::unique_ptr<device> line, protocol_factory factory, connect_handler done = {},
                const options& settings = {});

/// Answers `info<port_name>()`: the path or other name that the line was opened by.
struct port_name {
  std::string value;
};
/// Answers `info<failure>()` once the device is gone.
struct failure {
  std::error_code system;  ///< What the system said: EIO, ENODEV, ….
  const char* where;       ///< The operation that it said it to: "read", "write", "hang-up", ….
};

/// When new settings are applied.
enum class apply : std::uint8_t {
  now,             ///< What waits leaves with the new settings.
  after_output,    ///< What was written before has left, and what is written from now on waits (rule Z4).
  discard_output,  ///< What waits is dropped.
};

/// What a subscriber of the modem lines is told.
struct lines_changed {
  modem_lines now;
  modem_lines changed;  ///< True for each line that changed, also if it changed back in between and the driver counted it.
};

/// What a subscriber of input errors is told, between the bytes before it and those behind it.
struct input_error {
  line_error what;
  std::byte character;  ///< As it arrived; 0 for a break.
};

/// Why output waits.
struct output_block {
  enum class reason : std::uint8_t {
    driver,  ///< The driver's memory is full, as is normal while much is sent; or the other end sent XOFF, which no driver tells.
    cts,     ///< CTS is off, and flow control by RTS/CTS on.
    dsr,     ///< DSR is off, and flow control by DTR/DSR on.
    bus,     ///< The transceiver is being switched to sending.
    paced    ///< `options::byte_pause`.
  };
  reason why = reason::driver;
  time_point since;
};

/// What a serial line can do beyond a transport. A view: small, copyable, and false for a transport that is none and has none below it, where nothing comes of any call. All
/// calls belong to the scheduler's thread, are legal as long as the transport's reference is, and give `sluice::errc::closed` once it is
/// closing. Handlers are called once each, in a later turn, with `sluice::errc::cancelled` if the line closes first.
class line_control {
 public:
  line_control() noexcept = default;
  explicit line_control(channel* of) noexcept : channel_(of) {}
  explicit operator bool() const noexcept { return channel_ != nullptr; }

  /// New settings for the open line. The handler gets what the driver made of them; where it deviates and `options::strict` holds, the old
  /// ones are put back and the error is `errc::settings_refused`.
  void configure(const settings& wanted, apply when, std::function<void(result<settings>)> done = {}) const;

  /// Tells when all that was written so far has left the interface, or after `deadline` how many bytes have not (`sluice::errc::timed_out`).
  /// Nothing waits for it, and no thread blocks (rule Z3).
  void drain(duration deadline, std::function<void(std::error_code, std::size_t left)> done) const;

  /// Drops what the driver has received and nobody read, or what waits to be sent, in the driver and here.
  std::error_code discard(direction which) const;

  /// Holds the line in the break state for `length`, behind what was written before and in front of what is written after.
  void send_break(duration length, std::function<void(std::error_code)> done = {}) const;
  /// Begins or ends a break at once.
  std::error_code set_break(bool on) const;

  result<modem_lines> lines() const;
  std::error_code set_lines(line_level dtr, line_level rts) const;
  /// Calls `told` when a line changed, by asking the driver every `interval`, at least 1 ms; an empty function ends it. One subscriber: the last. The error
  /// is the driver's if it does not know its lines.
  std::error_code on_lines(std::function<void(const lines_changed&)> told,
                           std::chrono::milliseconds interval = std::chrono::milliseconds(20)) const;

  /// Since the line was opened.
  result<line_counters> counters() const;
  /// Calls `told` for each error in the input whose policy is `error_policy::event`, in its place among the data (rule Z8); an empty function
  /// ends it. One subscriber: the last. Without `settings::mark_errors` there are none.
  void on_input_errors(std::function<void(const input_error&)> told) const;
  /// Errors that were found in the input, whatever became of them.
  marked_input_counters input_errors() const;
  /// Nothing if no output waits.
  std::optional<output_block> blocked() const;
  /// When the bytes that were read last were there, on the scheduler's clock, in nanoseconds and not rounded to the turn.
  time_point last_received() const;
  /// What came of `open_settings::low_latency`, the driver's name, and the settings as they were read back.
  opened found() const;

 private:
  channel* channel_ = nullptr;
};

/// The line below `of`, or below the layers that it is. `info<settings>()`, `info<line_speed>()`, `info<port_name>()` and `info<failure>()` are
/// answered by the transport itself.
line_control control(const transport& of) noexcept;

}  // namespace sluice::serial
