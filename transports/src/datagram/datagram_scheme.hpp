#pragma once

#include <sluice/datagram_transport.hpp>
#include <sluice/endpoint.hpp>
#include <sluice/option_table.hpp>

#include <chrono>

#include "socket/scheme_options.hpp"

namespace sluice::detail {

// What the options of every transport of datagrams have in common.
template <typename Options>
struct datagram_settings : Options {
  write_buffer_limits limits;
};

template <typename Options>
option_table<datagram_settings<Options>> datagram_table() {
  using settings = datagram_settings<Options>;
  option_table<settings> table;
  table.size("max_datagram", &settings::max_datagram, 1, datagram_transport::largest_datagram)
      .size("send_buffer", &settings::send_buffer, 0, 1U << 30)
      .size(
          "high", [](settings & all) -> auto& { return all.limits.high; })
      .size(
          "low", [](settings & all) -> auto& { return all.limits.low; })
      .size(
          "max_write_buffer", [](settings & all) -> auto& { return all.datagrams.max_write_buffer; })
      .choice("when_full", [](settings & all) -> auto& { return all.datagrams.when_full; },
              {{"drop_newest", full_queue::drop_newest}, {"abort", full_queue::abort}})
      .duration(
          "close_timeout", [](settings & all) -> auto& { return all.datagrams.close_timeout; }, 0s, 24h);
  return table;
}

// Returns what the endpoint says; the marks are one setting, so each alone brings the other along.
template <typename Settings>
Settings read_datagrams(const option_table<Settings>& table, const endpoint& from) {
  Settings settings = table.read(from);
  const auto marks = resolve(settings.limits, settings.datagrams.write_buffer);
  if (!marks) throw bad_endpoint(from.error_at(where_is(from, "low"), "is above the option high; expected low to be at most high"));
  settings.datagrams.write_buffer = *marks;
  return settings;
}

}  // namespace sluice::detail
