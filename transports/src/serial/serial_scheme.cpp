#include <sluice/serial.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "socket/scheme_options.hpp"
#include "socket/socket_schemes.hpp"

namespace sluice::detail {
namespace {

using settings = stream_settings<serial::options>;

void add_line_options(option_table<settings>& table) {
  const auto line = [](auto serial::settings::*member) {
    return [member](settings & all) -> auto& { return all.line.*member; };
  };
  table.integer("baud", line(&serial::settings::baud), 1, 4'000'000'000)
      .integer("receive_baud", line(&serial::settings::receive_baud), 0, 4'000'000'000)
      .integer("data_bits", line(&serial::settings::data_bits), 5, 8)
      .choice("parity", line(&serial::settings::parity),
              {{"none", serial::parity::none},
               {"even", serial::parity::even},
               {"odd", serial::parity::odd},
               {"mark", serial::parity::mark},
               {"space", serial::parity::space}})
      .choice("stop_bits", line(&serial::settings::stop_bits),
              {{"1", serial::stop_bits::one}, {"1.5", serial::stop_bits::one_and_half}, {"2", serial::stop_bits::two}})
      .flag("mark_errors", line(&serial::settings::mark_errors));
}

void add_flow_options(option_table<settings>& table) {
  const auto add = [&table](std::string_view name, serial::flow kind) {
    table.custom(name, "on or off, and one kind of flow control", [kind](settings& all, std::string_view text) {
      const auto on = parse_flag_option(text);
      if (on.value_or(false) && std::exchange(all.line.flow, kind) != serial::flow::none) return false;
      return on.has_value();
    });
  };
  add("rtscts", serial::flow::rts_cts);
  add("xonxoff", serial::flow::xon_xoff);
  add("dtrdsr", serial::flow::dtr_dsr);
}

void add_bus_options(option_table<settings>& table) {
  const auto bus = [](auto serial::rs485_settings::*member) {
    return [member](settings & all) -> auto& { return all.line.rs485.*member; };
  };
  table.flag("rs485", bus(&serial::rs485_settings::enabled))
      .flag("rs485_rts_on_send", bus(&serial::rs485_settings::rts_on_send))
      .flag("rs485_rts_after_send", bus(&serial::rs485_settings::rts_after_send))
      .flag("rs485_receive_while_sending", bus(&serial::rs485_settings::receive_while_sending))
      .flag("rs485_terminate_bus", bus(&serial::rs485_settings::terminate_bus))
      .duration("rs485_delay_before_send", bus(&serial::rs485_settings::delay_before_send), 0s, 1s)
      .duration("rs485_delay_after_send", bus(&serial::rs485_settings::delay_after_send), 0s, 1s)
      .flag("rs485_switch_in_software", bus(&serial::rs485_settings::switch_in_software));
}

void add_open_options(option_table<settings>& table) {
  const auto add_level = [&table](std::string_view name, serial::line_level serial::open_settings::*which) {
    table.choice(name, [which](settings & all) -> auto& { return all.*which; },
                 {{"keep", serial::line_level::keep}, {"on", serial::line_level::on}, {"off", serial::line_level::off}});
  };
  const auto add_lock = [&table](std::string_view name, bool serial::lock_choices::*which) {
    table.flag(
        name, [which](settings & all) -> auto& { return all.lock.*which; });
  };
  add_level("dtr", &serial::open_settings::dtr);
  add_level("rts", &serial::open_settings::rts);
  add_lock("lock_advisory", &serial::lock_choices::advisory);
  add_lock("lock_exclusive", &serial::lock_choices::exclusive);
  add_lock("lock_file", &serial::lock_choices::lock_file);
  table.flag("hang_up_on_close", &settings::hang_up_on_close)
      .flag("restore_on_close", &settings::restore_on_close)
      .flag("low_latency", &settings::low_latency);
}

option_table<settings> serial_table() {
  auto table = stream_only_table<serial::options>();
  add_line_options(table);
  add_flow_options(table);
  add_bus_options(table);
  add_open_options(table);
  table.flag("strict", &settings::strict)
      .flag("force_xonxoff", &settings::force_xon_xoff)
      .duration("open_timeout", &settings::open_timeout, 0s, 24h)
      .duration("write_time", &settings::write_time, 0s, 24h)
      .duration("silence", &settings::silence, 0s, 1h)
      .duration("packet_time", &settings::packet_time, 0s, 1h)
      .integer("packet_size", &settings::packet_size, 1, 16 * 1024 * 1024)
      .duration("byte_pause", &settings::byte_pause, 0s, 1h);
  return table;
}

std::string name_of(const endpoint& from) {
  std::string name(from.require_path("serial:///dev/ttyUSB0?baud=115200"));
  if (name.find('\0') != name.npos)
    throw bad_endpoint(from.error_at(endpoint_part::path, "holds a zero byte; expected a path without one"));
  return name;
}

// That of every stream transport would end a slow line too early: only what the endpoint says counts.
serial::options options_of(const endpoint& from) {
  serial::options wanted = read(serial_table(), from);
  if (where_is(from, "close_timeout") != text_range()) wanted.close_timeout = wanted.stream.close_timeout;
  if (const std::string fault = find_fault(wanted.line); !fault.empty())
    throw bad_endpoint(from.error_at(endpoint_part::path, "has settings that no line can have: " + fault));
  return wanted;
}

}  // namespace

void add_serial_scheme(scheme_table& table) {
  table.add("serial", {}, [](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
    return serial::open(owner, name_of(to), std::move(factory), std::move(done), options_of(to));
  });
}

}  // namespace sluice::detail
