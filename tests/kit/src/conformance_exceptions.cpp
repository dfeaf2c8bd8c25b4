#include "conformance_trial.hpp"

namespace sluice::testing {
namespace {

/// A case that needs something that not every medium has.
struct exception_row {
  std::string_view cases;  // the beginning of their names
  bool capabilities::*needs;
  std::string_view reason;
};

constexpr std::string_view no_half_close = "the medium has no half-close: can_write_eof() is false (rule E5)";
constexpr std::string_view no_reset = "the medium has no reset: reset() is abort() there (rule C5)";
constexpr std::string_view no_end = "the medium has no end of input: a peer that goes is a failure, at once (rule Z2)";
constexpr std::string_view no_vigilance = "libuv watches no stream that is not read (loop_options::portable_streams)";
constexpr std::string_view no_listener = "the fixture has no listener";

/// All the exceptions there are. A case that is not listed runs over every transport.
constexpr exception_row exceptions[] = {
    {"L7 eof comes once", &capabilities::half_close, no_half_close},
    {"L13 data sent before the end of a half-closed", &capabilities::half_close, no_half_close},
    {"L15", &capabilities::listener, no_listener},
    {"L16", &capabilities::listener, no_listener},
    {"L2 connecting reports", &capabilities::completion, "the fixture's connections are made without a completion"},
    {"L11 connecting reports", &capabilities::completion, "the fixture's connections are made without a completion"},
    {"X2 connecting reports", &capabilities::completion, "the fixture's connections are made without a completion"},
    {"R6 is_reading is false from the peer's end", &capabilities::half_close, no_half_close},
    {"R7 a reset", &capabilities::reset, no_reset},
    {"R7 a reset", &capabilities::vigilance, no_vigilance},
    {"R7 a reset is noticed at once although our output", &capabilities::half_close, no_half_close},
    {"R7 with report_hangup_while_paused", &capabilities::hangup, "the medium does not tell of the peer's end while reading is paused"},
    {"R11 resume after the peer's end", &capabilities::half_close, no_half_close},
    {"W4", &capabilities::half_close, no_half_close},
    {"E1 keep_open", &capabilities::half_close, no_half_close},
    {"E2", &capabilities::half_close, no_half_close},
    {"E3", &capabilities::half_close, no_half_close},
    {"E4", &capabilities::half_close, no_half_close},
    {"E5 can_write_eof", &capabilities::half_close, no_half_close},
    {"E6", &capabilities::half_close, no_half_close},
    {"E7", &capabilities::half_close, no_half_close},
    {"E8", &capabilities::half_close, no_half_close},
    {"E9", &capabilities::reset, no_reset},
    {"E9", &capabilities::half_close, no_half_close},
    {"E10", &capabilities::half_close, no_half_close},
    {"E11", &capabilities::half_close, no_half_close},
    {"C4 an end of the peer's", &capabilities::half_close, no_half_close},
    {"C5 reset reaches", &capabilities::reset, no_reset},
    {"V5 an upgrade after write_eof", &capabilities::half_close, no_half_close},
    {"L1 a connection is made, brings data", &capabilities::end_of_input, no_end},
    {"L3 a peer that closes", &capabilities::end_of_input, no_end},
    {"L4 a protocol whose peer closes inside", &capabilities::end_of_input, no_end},
    {"L5 connection_lost is never called from inside write()", &capabilities::end_of_input, no_end},
    {"L6 a close inside eof_received", &capabilities::end_of_input, no_end},
    {"L7 an end that came", &capabilities::end_of_input, no_end},
    {"L13 everything that the peer sent", &capabilities::end_of_input, no_end},
    {"L13 data that is there is delivered after a failed write", &capabilities::end_of_input, no_end},
    {"R2 pause and resume still work after a failed write", &capabilities::end_of_input, no_end},
    {"R4 after a pause inside data_received", &capabilities::end_of_input, no_end},
    {"R4 an eof that waits", &capabilities::end_of_input, no_end},
    {"R7 an end of the peer", &capabilities::end_of_input, no_end},
    {"W6", &capabilities::end_of_input, no_end},
    {"W7", &capabilities::end_of_input, no_end},
    {"E1 by default", &capabilities::end_of_input, no_end},
    {"X1 an exception of eof_received", &capabilities::end_of_input, no_end},
    {"B2 the end of input", &capabilities::end_of_input, no_end},
    {"B6 a buffered protocol sees", &capabilities::end_of_input, no_end},
    {"V1 the next protocol gets", &capabilities::end_of_input, no_end},
    {"V2 much that was not read", &capabilities::end_of_input, no_end},
    {"I1 addresses", &capabilities::addresses, "the medium has no addresses"},
    {"I2 addresses", &capabilities::addresses, "the medium has no addresses"},
    {"I4", &capabilities::credentials, "the medium knows no credentials of the peer; Unix sockets do"},
    {"I5", &capabilities::no_delay, "TCP_NODELAY is an option of TCP"},
};

}  // namespace

std::string_view excuse(std::string_view name, const capabilities& has) {
  for (const exception_row& row : exceptions)
    if (name.starts_with(row.cases) && !(has.*row.needs)) return row.reason;
  return {};
}

}  // namespace sluice::testing
