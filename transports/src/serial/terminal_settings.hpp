#pragma once

#include <sluice/serial/settings.hpp>

#include <cstddef>
#include <system_error>

namespace sluice::serial {

// The system's form of the settings of a terminal, kept as bytes because its header excludes the one that everything else includes.
struct terminal_state {
  alignas(8) std::byte raw[64];
};

// Each is one system call, and returns its error.
std::error_code read_terminal(int descriptor, terminal_state& into) noexcept;
std::error_code write_terminal(int descriptor, const terminal_state& from) noexcept;

// Raw bytes, no waiting, no modem control, and what `wanted` says; all else as it was found.
void encode(const settings& wanted, bool hang_up_on_close, terminal_state& into) noexcept;
// What `from` says; the parts that no terminal knows are as by default.
settings decode(const terminal_state& from) noexcept;

// Our side of a pseudo-terminal in packet mode hears of changes; line editing and echo are its own business then (EXTPROC).
bool tells_changes(const terminal_state& state) noexcept;
void tell_changes(bool on, terminal_state& state) noexcept;

// A read waits for one byte: false if another program has changed that, so that 0 bytes are read where none are there.
bool waits_for_a_byte(const terminal_state& state) noexcept;
void wait_for_a_byte(terminal_state& state) noexcept;

}  // namespace sluice::serial
