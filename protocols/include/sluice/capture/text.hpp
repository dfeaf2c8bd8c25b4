#pragma once

#include <string>

#include <sluice/capture/record.hpp>

namespace sluice::capture {

/// Appends a line for a person, with its end: the time in UTC, the connection, what happened, the number of bytes, the bytes in hexadecimal
/// and as characters, the note, what is missing, and the modem lines that are on.
///
///     2026-01-31 12:00:00.000250000 7 received 5: 68 65 6c 6c 6f |hello|
///     2026-01-31 12:00:01.000000000 7 lost: uv:104 ECONNRESET: connection reset by peer
void append_text(std::string& out, const record& made);

}  // namespace sluice::capture
