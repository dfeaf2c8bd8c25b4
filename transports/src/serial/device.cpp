#include <sluice/serial/device.hpp>

namespace sluice::serial {

line_counters operator-(const line_counters& later, const line_counters& earlier) noexcept {
  return {later.cts_changes - earlier.cts_changes,
          later.dsr_changes - earlier.dsr_changes,
          later.ring_changes - earlier.ring_changes,
          later.carrier_changes - earlier.carrier_changes,
          later.received - earlier.received,
          later.sent - earlier.sent,
          later.framing_errors - earlier.framing_errors,
          later.parity_errors - earlier.parity_errors,
          later.overruns - earlier.overruns,
          later.buffer_overruns - earlier.buffer_overruns,
          later.breaks - earlier.breaks};
}

}  // namespace sluice::serial
