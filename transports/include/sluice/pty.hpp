#pragma once

#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/serial/settings.hpp>
#include <sluice/transport.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <system_error>

/// Pseudo-terminals that programs open as if they were serial ports, by a link with a name of your choice.
namespace sluice::pty {

/// What it means for the connection that the last program closes the terminal.
enum class hangup : std::uint8_t {
  keep,  ///< Nothing: programs come and go, and the terminal keeps its settings, as a serial line does.
  end    ///< The end of input, as when a socket's peer closes. Before the first one opens it, nothing ends.
};

struct options {
  hangup on_hangup = hangup::keep;
  /// Permissions of the terminal's file; unset leaves them as the system makes them.
  std::optional<unsigned> mode = {};
  /// Flow control and closing. Bytes that a program which has the terminal open has not read when `connection_lost` comes are left to it for
  /// `linger`; after that they are lost to it (rule C6).
  stream_options stream = {};
};

/// Names of an exported terminal: answer of `transport::info<pty::name>()`.
/// Beside it, `transport::info<serial::settings>()` answers what programs have set, as long as the terminal is open.
struct name {
  std::string terminal;  ///< "/dev/pts/7".
  std::string link;      ///< As given to `open`; may be empty.
};

/// Makes a pseudo-terminal in raw mode, and a link to it at `link`; with an empty one there is only `info<name>()->terminal`. What programs
/// write there is input, what is written here they read; up to some KiB wait for the next one that reads. `connection_made` is called before
/// this returns. There is no `write_eof()`.
///
/// The link appears at once and whole. One that leads nowhere, or to a terminal that is younger than the link, is what a program that died
/// left behind and is replaced; anything else in its place is an error (EEXIST). It is removed when the transport begins to close, unless another one has taken
/// its place. Programs that still have the terminal open then see a hang-up, as when a USB adapter is unplugged.
///
/// Errors, with the whole story in `detail()`: those of the system, and `errc::protocol_threw` (rule X2). `upper` must not be null
/// (`std::invalid_argument`).
result<transport&> open(loop& owner, const std::string& link, protocol_ptr upper, const options& settings = {});

/// Told with the settings that a program gave to an exported terminal.
using settings_handler = std::function<void(const serial::settings&)>;

/// Calls `told` in a turn of its own when programs have set the terminal otherwise than it was, some milliseconds later, so that what is set
/// one by one is told at once; an empty function ends it. One subscriber: the last. It is what `info<serial::settings>()` answers at
/// any time: rates, stop bits and flow control; the system drops 5 to 7 data bits and parity, and keeps modem lines and breaks to itself.
///
/// As long as somebody subscribes the system leaves line editing, echo and XON/XOFF, which no program asks of a serial port that wants each byte
/// as it is, to this side.
///
/// Errors: `errc::not_supported` if `of` is no exported terminal, `errc::closed` once it is closing, those of the system.
std::error_code on_settings(const transport& of, settings_handler told);

}  // namespace sluice::pty
