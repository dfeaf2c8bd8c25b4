#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

#include <sluice/scheduler.hpp>
#include <sluice/serial/device.hpp>
#include <sluice/serial/marked_input.hpp>
#include <sluice/serial/settings.hpp>

/// Serial lines without hardware: interfaces with their drivers, and the wires between them, on the clock of a scheduler. On a
/// `manual_scheduler` every run is the same, and a minute of line time takes as long as its characters need to be computed.
///
///     manual_scheduler scheduler;
///     simulated_line cable(scheduler);
///     simulated_port& here = cable.add({.prefix = "/dev/ttyUSB"});
///     simulated_port& there = cable.add();
///     auto opening = serial::open(scheduler, here.device(), factory, report, settings);
///
/// Characters are waves: the sender makes one bit after the other in its settings, and the receiver samples the wire in its own. Whatever
/// two ends do not agree about, and whatever happens on the wire meanwhile, therefore comes out as it does on a desk: as garbage, as errors of
/// parity and framing, as a break.
namespace sluice::testing {

/// How the interfaces of one line are joined.
enum class wiring : std::uint8_t {
  null_modem,  ///< Two of them; each sends to the other, RTS goes to CTS, DTR to DSR and carrier.
  bus          ///< Any number on two wires (RS-485); who sends is heard by all, and two that send at once spoil each other's characters.
};

/// How an interface on a bus comes to drive it.
enum class transceiver : std::uint8_t {
  automatic,  ///< It drives the bus as long as a character leaves.
  by_rts      ///< It drives the bus, and is deaf, as long as RTS is on: by the driver, by software, or by mistake.
};

/// What an interface is, and what its driver makes of it. Sizes are in characters.
struct simulated_interface {
  std::string prefix = "/dev/ttyS";   ///< Each time it is plugged in, the lowest number that is free is put behind it.
  std::string id = {};                ///< A name that stays, such as a link in /dev/serial/by-id; may be empty.
  std::string driver = "simulated";   ///< As in `serial::opened::driver`.
  std::size_t receive_fifo = 16;      ///< What the interface keeps until the driver takes it; a further character is an overrun.
  std::size_t transmit_fifo = 16;     ///< What it keeps to send; dropping output does not reach it.
  std::size_t output_queue = 4096;    ///< What the driver takes from `write`. Room is told of when fewer than 256 wait.
  std::size_t input_queue = 4095;     ///< What the driver keeps until it is read; what is beyond it is lost, and counted.
  std::size_t most_per_read = 4095;   ///< At least 1, as is the next.
  std::size_t most_per_write = 4096;  ///< Partial writes, if it is small.
  duration latency{0};     ///< What was received is handed over so long after the first of it, as USB adapters do; 0 hands over each.
  std::size_t clump = 62;  ///< With a latency: or when it is so much.
  std::uint64_t one_bad_bit_in = 0;  ///< Noise: one bit in so many is turned over on arrival, by the seed. 0 is none.
  duration opening{0};               ///< What opening takes.
  duration closing{0};               ///< What closing takes; the port is busy for so long.
  /// On a null modem whose ends agree: so many characters leave in one step, and arrive together when the last one has left. 1 is exact;
  /// more is for tests that only need many bytes.
  std::size_t characters_at_once = 1;
  transceiver bus_transceiver = transceiver::automatic;
  bool switches_transceiver = true;    ///< The driver knows `rs485_settings`.
  bool echoes = false;                 ///< On a bus: hears what itself sends.
  bool hangs_up_with_carrier = false;  ///< The line hangs up when the carrier falls, as that of a modem does, and the device is gone.
  /// What the driver makes of settings, if it does not take them as they are.
  std::function<serial::settings(const serial::settings&)> takes = {};
};

/// The calls of `serial::device` that can be made to fail; `low_latency` is the part of opening.
enum class simulated_call : std::uint8_t {
  open,
  low_latency,
  configure,
  read,
  write,
  output,
  discard,
  set_break,
  lines,
  set_lines,
  counters
};

/// A character on the wire, as an instrument shows it that is clamped on there.
struct wire_character {
  std::string port;   ///< The name of the one that sends.
  time_point begins;  ///< Of the start bit.
  time_point ends;    ///< Of the last stop bit.
  std::byte value{};
};

namespace detail {
class simulated_station;
class simulated_wires;
}  // namespace detail

/// One interface of a line. Belongs to the line.
class simulated_port {
 public:
  explicit simulated_port(std::shared_ptr<detail::simulated_station> station) noexcept;

  /// What opens this interface wherever it is: by its id, or by the name that it has now. As many as wanted; one is open at a time.
  std::unique_ptr<serial::device> device() const;

  /// "/dev/ttyUSB0"; empty while it is not plugged in.
  std::string name() const;
  bool is_open() const noexcept;
  /// In force now, or when it was last open.
  const serial::settings& settings() const noexcept;
  serial::modem_lines lines() const noexcept;
  const serial::line_counters& counters() const noexcept;

  /// The device is gone: the listener is told, what waited in it is lost, and its name is free once it is closed. Nothing if it is out.
  void unplug();
  /// It is back, under the name that the system gives it: another one if a program still holds the old. Nothing if it is in.
  void plug_in();

  /// The next characters that arrive here are damaged so: with a wrong parity (without a parity bit it is a wrong data bit), without a stop
  /// bit, as a break.
  void damage_next(serial::line_error how, std::size_t characters = 1) noexcept;
  /// The driver does not come to serve its interface until this ends: characters stay in the FIFOs, and overrun.
  void hold_interrupts(bool on);
  /// The next calls of this kind fail.
  void fail(simulated_call which, std::error_code error, std::size_t times = 1);
  void set_ring(bool on);

 private:
  std::shared_ptr<detail::simulated_station> station_;
};

/// The wires, and who is on them. All of it on the scheduler's thread. Must end before the scheduler, and may before the devices that it
/// made, which are gone then.
class simulated_line {
 public:
  /// `seed` decides about the noise.
  explicit simulated_line(scheduler& owner, wiring how = wiring::null_modem, std::uint64_t seed = 1);
  simulated_line(const simulated_line&) = delete;
  simulated_line& operator=(const simulated_line&) = delete;
  ~simulated_line();

  /// One interface more, plugged in. Valid as long as the line. Throws `std::logic_error` for a third one on a null modem, and
  /// `std::invalid_argument` for sizes of 0.
  simulated_port& add(const simulated_interface& hardware = {});

  /// What opens the interface that has this name or id at that moment; ENOENT if there is none.
  std::unique_ptr<serial::device> device(std::string name) const;

  /// Calls `seen` at the start of each character on the wire. An empty function ends it.
  void on_character(std::function<void(const wire_character&)> seen);
  /// Characters on a bus that were spoilt because two drove it.
  std::uint64_t collisions() const noexcept;

 private:
  std::shared_ptr<detail::simulated_wires> wires_;
};

}  // namespace sluice::testing
