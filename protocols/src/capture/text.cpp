#include <sluice/capture/text.hpp>

#include <cstdint>
#include <cstdio>
#include <utility>

namespace sluice::capture {
namespace {

using namespace std::chrono;

void append_time(std::string& out, nanoseconds since) {
  const sys_time<nanoseconds> at(since);
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<nanoseconds> clock(at - day);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d.%09d ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  out.append(text);
}

void append_bytes(std::string& out, const_bytes data) {
  constexpr const char* digits = "0123456789abcdef";
  out.append(" ").append(std::to_string(data.size())).append(":");
  for (const std::byte each : data) {
    const auto value = std::to_integer<unsigned>(each);
    const char pair[] = {' ', digits[value >> 4], digits[value & 15]};
    out.append(pair, sizeof pair);
  }
  out.append(" |");
  for (const std::byte each : data) {
    const auto value = std::to_integer<char>(each);
    out.push_back(value >= ' ' && value <= '~' ? value : '.');
  }
  out.push_back('|');
}

// One line is one record, whatever is in the note.
void append_note(std::string& out, std::string_view note) {
  out.append(": ");
  for (const char each : note) out.push_back(static_cast<unsigned char>(each) < ' ' || each == '\x7f' ? ' ' : each);
}

void append_lines(std::string& out, std::uint8_t lines) {
  constexpr std::pair<line, const char*> names[] = {{line::clear_to_send, " CTS"},       {line::carrier, " DCD"},
                                                    {line::data_set_ready, " DSR"},      {line::request_to_send, " RTS"},
                                                    {line::data_terminal_ready, " DTR"}, {line::ring, " RI"}};
  out.append(" [");
  const std::size_t begin = out.size();
  for (const auto& [which, name] : names)
    if ((lines & static_cast<unsigned>(which)) != 0) out.append(name + (out.size() == begin ? 1 : 0));
  out.push_back(']');
}

}  // namespace

void append_text(std::string& out, const record& made) {
  append_time(out, made.time);
  out.append(std::to_string(made.connection)).append(" ").append(to_string(made.what));
  if (!made.data.empty()) append_bytes(out, made.data);
  if (!made.note.empty()) append_note(out, made.note);
  if (made.missing_records != 0) out.append(" ").append(std::to_string(made.missing_records)).append(" records");
  if (made.missing_bytes != 0) out.append(" ").append(std::to_string(made.missing_bytes)).append(" bytes missing");
  if (made.lines != 0 || made.what == event::lines_changed) append_lines(out, made.lines);
  out.push_back('\n');
}

}  // namespace sluice::capture
