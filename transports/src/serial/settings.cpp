#include <sluice/serial/settings.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::serial {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t slowest_fixed_silence = 19200;  // above it Modbus has fixed times
constexpr auto longest_delay = 1s;

const char* to_string(parity value) noexcept {
  switch (value) {
    case parity::none: return "N";
    case parity::even: return "E";
    case parity::odd: return "O";
    case parity::mark: return "M";
    case parity::space: return "S";
  }
  return "?";
}

const char* to_string(stop_bits value) noexcept {
  switch (value) {
    case stop_bits::one: return "1";
    case stop_bits::one_and_half: return "1.5";
    case stop_bits::two: return "2";
  }
  return "?";
}

const char* to_string(flow value) noexcept {
  switch (value) {
    case flow::none: return "none";
    case flow::rts_cts: return "rts/cts";
    case flow::xon_xoff: return "xon/xoff";
    case flow::dtr_dsr: return "dtr/dsr";
  }
  return "?";
}

// Of one character, so that one and a half stop bits are a whole number.
std::uint64_t half_bits(const settings& line) noexcept {
  std::uint64_t count = 2 * (1u + line.data_bits);
  if (line.parity != parity::none) count += 2;
  switch (line.stop_bits) {
    case stop_bits::one: return count + 2;
    case stop_bits::one_and_half: return count + 3;
    case stop_bits::two: return count + 4;
  }
  return count;
}

std::uint32_t receive_rate(const settings& line) noexcept { return line.receive_baud != 0 ? line.receive_baud : line.baud; }

bool rates_agree(std::uint32_t asked, std::uint32_t got) noexcept {
  const std::uint64_t off = asked > got ? asked - got : got - asked;
  return 50 * off <= asked;
}

// What the driver of a line reads back of flow control; the one that it does not know is ours.
flow driver_flow(flow value) noexcept { return value == flow::dtr_dsr ? flow::none : value; }

class deviation {
 public:
  void add(std::string_view what, const std::string& asked, const std::string& got) {
    if (asked == got) return;
    if (!text_.empty()) text_ += "; ";
    text_.append(what).append(": asked ").append(asked).append(", got ").append(got);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

std::string on_off(bool value) { return value ? "on" : "off"; }
std::string in_ms(std::chrono::milliseconds value) { return std::to_string(value.count()) + " ms"; }

void add_rs485(deviation& found, const rs485_settings& asked, const rs485_settings& got) {
  if (!asked.enabled || asked.switch_in_software) return;
  found.add("rs485", on_off(asked.enabled), on_off(got.enabled));
  if (!got.enabled) return;
  found.add("rs485 rts on send", on_off(asked.rts_on_send), on_off(got.rts_on_send));
  found.add("rs485 rts after send", on_off(asked.rts_after_send), on_off(got.rts_after_send));
  found.add("rs485 receive while sending", on_off(asked.receive_while_sending), on_off(got.receive_while_sending));
  found.add("rs485 terminate bus", on_off(asked.terminate_bus), on_off(got.terminate_bus));
  found.add("rs485 delay before send", in_ms(asked.delay_before_send), in_ms(got.delay_before_send));
  found.add("rs485 delay after send", in_ms(asked.delay_after_send), in_ms(got.delay_after_send));
}

bool is_delay(std::chrono::milliseconds value) noexcept { return value >= 0ms && value <= longest_delay; }

std::string find_rs485_fault(const settings& wanted) {
  const rs485_settings& bus = wanted.rs485;
  if (!bus.enabled) return {};
  if (wanted.flow == flow::rts_cts) return "rs485 and flow control by RTS/CTS exclude each other; expected one of them";
  if (bus.rts_on_send == bus.rts_after_send) return "rs485 with one level of RTS for sending and receiving; expected opposite levels";
  if (!is_delay(bus.delay_before_send) || !is_delay(bus.delay_after_send)) return "a delay of rs485 is not from 0 to 1000 ms";
  return {};
}

}  // namespace

std::string find_fault(const settings& wanted) {
  if (wanted.baud == 0) return "0 baud; expected at least 1";
  if (wanted.data_bits < 5 || wanted.data_bits > 8) return std::to_string(wanted.data_bits) + " data bits; expected 5 to 8";
  if (wanted.stop_bits == stop_bits::one_and_half && wanted.data_bits != 5)
    return "1.5 stop bits go with 5 data bits only; expected 1 or 2";
  if (wanted.stop_bits == stop_bits::two && wanted.data_bits == 5) return "2 stop bits become 1.5 with 5 data bits; expected 1 or 1.5";
  return find_rs485_fault(wanted);
}

std::string to_string(const settings& value) {
  std::string text = std::to_string(value.baud);
  if (receive_rate(value) != value.baud) text.append("/").append(std::to_string(value.receive_baud));
  text.append(" ").append(std::to_string(value.data_bits)).append(to_string(value.parity)).append(to_string(value.stop_bits));
  if (value.flow != flow::none) text.append(" ").append(to_string(value.flow));
  if (value.rs485.enabled) text += " rs485";
  return text;
}

std::string describe_deviation(const settings& asked, const settings& got) {
  deviation found;
  if (!rates_agree(asked.baud, got.baud)) found.add("baud", std::to_string(asked.baud), std::to_string(got.baud));
  if (!rates_agree(receive_rate(asked), receive_rate(got)))
    found.add("receive baud", std::to_string(receive_rate(asked)), std::to_string(receive_rate(got)));
  found.add("data bits", std::to_string(asked.data_bits), std::to_string(got.data_bits));
  found.add("parity", to_string(asked.parity), to_string(got.parity));
  found.add("stop bits", to_string(asked.stop_bits), to_string(got.stop_bits));
  found.add("flow control", to_string(driver_flow(asked.flow)), to_string(driver_flow(got.flow)));
  found.add("error marking", on_off(asked.mark_errors), on_off(got.mark_errors));
  add_rs485(found, asked.rs485, got.rs485);
  return std::move(found).text();
}

std::chrono::nanoseconds character_time(const settings& line) noexcept { return wire_time(line, 1); }

std::chrono::nanoseconds wire_time(const settings& line, std::size_t characters) noexcept {
  const double seconds = static_cast<double>(half_bits(line)) * static_cast<double>(characters) / (2.0 * line.baud);
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9 + 0.999));
}

line_speed speed_of(const settings& line) noexcept { return {2.0 * line.baud / static_cast<double>(half_bits(line))}; }

silences modbus_silences(std::uint32_t baud) noexcept {
  if (baud > slowest_fixed_silence) return {750us, 1750us};
  const auto in_half_characters = [baud](std::uint64_t halves) {
    return std::chrono::nanoseconds((halves * 11 * 1'000'000'000 + 2 * std::uint64_t{baud} - 1) / (2 * std::uint64_t{baud}));
  };
  return {in_half_characters(3), in_half_characters(7)};
}

}  // namespace sluice::serial
