#pragma once

#include <sluice/endpoint.hpp>
#include <sluice/flow_control.hpp>
#include <sluice/option_table.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <string_view>

namespace sluice::detail {

using namespace std::chrono_literals;

// What the options of every stream transport have in common. The marks are one setting, so each alone brings the other along.
template <typename Options>
struct stream_settings : Options {
  write_buffer_limits limits;
};

// Those of transports that are neither accepted nor waited for.
template <typename Options>
option_table<stream_settings<Options>> stream_only_table() {
  using settings = stream_settings<Options>;
  option_table<settings> table;
  const auto add_deadline = [&table](std::string_view name, std::chrono::milliseconds stream_options::*which) {
    table.duration(
        name, [which](settings & all) -> auto& { return all.stream.*which; }, 0s, 24h * 365);
  };
  add_deadline("first_byte", &stream_options::first_byte_timeout);
  add_deadline("idle", &stream_options::idle_timeout);
  add_deadline("write_stall", &stream_options::write_stall_timeout);
  add_deadline("lifetime", &stream_options::lifetime);
  table
      .size(
          "high", [](settings & all) -> auto& { return all.limits.high; })
      .size(
          "low", [](settings & all) -> auto& { return all.limits.low; })
      .size(
          "max_write_buffer", [](settings & all) -> auto& { return all.stream.max_write_buffer; })
      .size(
          "max_receive", [](settings & all) -> auto& { return all.stream.max_receive; })
      .duration(
          "close_timeout", [](settings & all) -> auto& { return all.stream.close_timeout; }, 0s, 24h)
      .duration(
          "linger", [](settings & all) -> auto& { return all.stream.linger; }, 0s, 1h);
  return table;
}

template <typename Options>
option_table<stream_settings<Options>> stream_table() {
  using settings = stream_settings<Options>;
  option_table<settings> table = stream_only_table<Options>();
  table.integer("backlog", &settings::backlog, 1, 65535)
      .flag("start_serving", &settings::start_serving)
      .integer("max_connections", &settings::max_connections, 0, 1'000'000'000)
      .duration("connect_timeout", &settings::connect_timeout, 0s, 24h);
  return table;
}

inline text_range where_is(const endpoint& from, std::string_view option) {
  for (const endpoint_option& each : from.options())
    if (each.name == option) return each.value_at;
  return {};
}

template <typename Options>
Options read(const option_table<stream_settings<Options>>& table, const endpoint& from) {
  stream_settings<Options> settings = table.read(from);
  const auto marks = resolve(settings.limits, settings.stream.write_buffer);
  if (!marks) throw bad_endpoint(from.error_at(where_is(from, "low"), "is above the option high; expected low to be at most high"));
  settings.stream.write_buffer = *marks;
  return settings;
}

}  // namespace sluice::detail
