#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sluice/info.hpp>

/// Serial lines: `<sluice/serial.hpp>` opens them; the headers of this folder are the parts that it is made of.
namespace sluice::serial {

enum class parity : std::uint8_t {
  none,
  even,
  odd,
  mark,  ///< The parity bit is always 1.
  space  ///< The parity bit is always 0.
};

enum class stop_bits : std::uint8_t {
  one,
  one_and_half,  ///< Drivers make it of two stop bits with 5 data bits, and know it with no other number of data bits.
  two
};

/// How the two ends tell each other to wait.
enum class flow : std::uint8_t {
  none,
  rts_cts,   ///< By the driver: our RTS says that we can take bytes, the other end's arrives as CTS.
  xon_xoff,  ///< By the driver, with the bytes 0x11 and 0x13, which data must not contain then: protocols that need every byte are refused.
  dtr_dsr    ///< By this library, as no Linux driver does it: DTR follows reading, and output waits for DSR.
};

/// How a transceiver on a two-wire bus is switched to sending and back. The driver does it where it can.
struct rs485_settings {
  bool enabled = false;
  bool rts_on_send = true;                         ///< Level of RTS while sending.
  bool rts_after_send = false;                     ///< Level of RTS at all other times; the opposite, or nothing is switched.
  bool receive_while_sending = false;              ///< What we send comes back as input.
  bool terminate_bus = false;                      ///< Connects the terminating resistor of the interface.
  std::chrono::milliseconds delay_before_send{0};  ///< From switching RTS to the first bit. At most 1 s.
  std::chrono::milliseconds delay_after_send{0};   ///< From the last bit to switching RTS back. At most 1 s.
  /// Where the driver cannot switch, RTS is set from here around each burst of output. It comes back late, by up to some milliseconds, so
  /// the other end has to leave that much time before it answers.
  bool switch_in_software = false;

  friend bool operator==(const rs485_settings&, const rs485_settings&) = default;
};

/// What both ends of a line have to agree on. May be changed while it is open.
struct settings {
  /// Bits per second, any number: what is no standard rate is asked of the driver all the same, and read back.
  std::uint32_t baud = 115200;
  /// Of the direction towards us, where it is another one and the driver can do that; 0 is the same.
  std::uint32_t receive_baud = 0;
  std::uint8_t data_bits = 8;  ///< 5 to 8.
  serial::parity parity = serial::parity::none;
  serial::stop_bits stop_bits = serial::stop_bits::one;
  serial::flow flow = serial::flow::none;
  rs485_settings rs485 = {};
  /// The driver marks characters that arrived with an error, and breaks, in their places in the stream, and the channel reads the marks: what
  /// becomes of each kind of error is for `options::errors` to say.
  bool mark_errors = false;

  friend bool operator==(const settings&, const settings&) = default;
};

/// What no line can have, in words that say what would be right; empty if nothing is wrong.
std::string find_fault(const settings& wanted);

/// "9600 7E1 rts/cts": what is printed in errors, logs and lists.
std::string to_string(const settings& value);

/// The driver took other settings than it was given (rule Z4): which, asked and got: "baud: asked 250000, got 115200; parity: …". Empty if `got`
/// will do: rates may differ by 2 %, which is what receivers stand.
std::string describe_deviation(const settings& asked, const settings& got);

/// One character on the wire: start bit, data bits, parity bit, stop bits; rounded up to nanoseconds. The settings must have no fault, here and
/// below.
std::chrono::nanoseconds character_time(const settings& line) noexcept;
/// So many characters one behind the other.
std::chrono::nanoseconds wire_time(const settings& line, std::size_t characters) noexcept;
/// What `transport::info<line_speed>()` answers on such a line.
line_speed speed_of(const settings& line) noexcept;

/// The two silences of Modbus RTU, which counts characters of 11 bits up to 19200 baud and has fixed times above.
struct silences {
  std::chrono::nanoseconds between_characters;  ///< "t1.5": a longer one inside a frame breaks it.
  std::chrono::nanoseconds between_frames;      ///< "t3.5": at least this between two frames.
};
silences modbus_silences(std::uint32_t baud) noexcept;

}  // namespace sluice::serial
