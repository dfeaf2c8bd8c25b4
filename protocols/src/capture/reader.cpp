#include <sluice/capture/reader.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>
#include <string_view>

#include "capture/pcapng.hpp"

namespace sluice::capture {
namespace {

constexpr std::uint64_t billion = 1'000'000'000;
constexpr std::uint64_t latest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::uint32_t little_u32(const_bytes at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) value = value << 8 | std::to_integer<std::uint32_t>(at[i - 1]);
  return value;
}

std::uint32_t big_u32(const_bytes at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(at[i]);
  return value;
}

// Nanoseconds in `ticks` of 10^-digits seconds each.
std::optional<std::uint64_t> from_decimal(std::uint64_t ticks, unsigned digits) noexcept {
  for (; digits > 9; --digits) ticks /= 10;
  for (; digits < 9; ++digits) {
    if (ticks > latest / 10) return std::nullopt;
    ticks *= 10;
  }
  return ticks;
}

// Nanoseconds in `ticks` of 2^-bits seconds each.
std::optional<std::uint64_t> from_binary(std::uint64_t ticks, unsigned bits) noexcept {
  constexpr unsigned most_bits = 34;  // of a fraction that a billion can be multiplied with
  if (bits > most_bits) {
    const unsigned excess = bits - most_bits;
    ticks = excess < 64 ? ticks >> excess : 0;
    bits = most_bits;
  }
  const std::uint64_t seconds = ticks >> bits;
  if (seconds > latest / billion) return std::nullopt;
  const std::uint64_t fraction = ticks & ((std::uint64_t{1} << bits) - 1);
  return seconds * billion + (fraction * billion >> bits);
}

// A string of the file ends at its first zero, if there is one (3.5).
std::string_view text_of(const_bytes value) noexcept {
  const std::string_view text = as_text(value);
  return text.substr(0, text.find('\0'));
}

std::optional<std::uint64_t> connection_in(std::string_view name) noexcept {
  constexpr std::string_view start = "connection ";
  if (!name.starts_with(start)) return std::nullopt;
  name.remove_prefix(start.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

constexpr event told_by_comments[] = {event::connected,       event::input_ended,    event::output_ended,    event::reading_paused,
                                      event::reading_resumed, event::writing_paused, event::writing_resumed, event::lost,
                                      event::lines_changed,   event::other};

// A status change is what its comment says, if that is one of ours.
void read_status(record& into) noexcept {
  for (const event each : told_by_comments) {
    const std::string_view name = to_string(each);
    if (!into.note.starts_with(name)) continue;
    const std::string_view rest = into.note.substr(name.size());
    if (!rest.empty() && !rest.starts_with(": ")) continue;
    into.what = each;
    into.note = rest.substr(std::min<std::size_t>(rest.size(), 2));
    return;
  }
}

void read_kind(unsigned kind, record& into) noexcept {
  switch (kind) {
    case pcapng::kind_sent:
    case pcapng::kind_sent_end: into.what = event::sent; return;
    case pcapng::kind_received:
    case pcapng::kind_received_end: into.what = event::received; return;
    case pcapng::kind_dropped: into.what = event::dropped; return;
    case pcapng::kind_framing: into.what = event::framing_error; return;
    case pcapng::kind_parity: into.what = event::parity_error; return;
    case pcapng::kind_break: into.what = event::line_break; return;
    case pcapng::kind_overrun: into.what = event::overrun; return;
    case pcapng::kind_status: read_status(into); return;
    default: return;  // one that is not specified
  }
}

const char* name_of(std::uint32_t block) noexcept {
  switch (block) {
    case pcapng::section_header: return "a Section Header Block";
    case pcapng::interface_description: return "an Interface Description Block";
    case pcapng::obsolete_packet: return "a Packet Block";
    case pcapng::simple_packet: return "a Simple Packet Block";
    case pcapng::enhanced_packet: return "an Enhanced Packet Block";
    default: return "a block";
  }
}

}  // namespace

// What came of a look at the front of the input.
struct reader::step {
  enum class kind : std::uint8_t {
    more,    // `wanted` bytes are needed
    passed,  // `consumed` bytes are done with, and were no record
    found,
    failed
  };
  kind what = kind::passed;
  std::size_t consumed = 0;
  std::size_t wanted = 0;
  record made = {};

  static step more(std::size_t wanted) { return {kind::more, 0, wanted, {}}; }
};

// Numbers and options from the front of a part of a block.
class reader::fields {
 public:
  fields(const_bytes bytes, order in) noexcept : bytes_(bytes), order_(in) {}

  bool empty() const noexcept { return bytes_.empty(); }
  std::size_t size() const noexcept { return bytes_.size(); }
  const_bytes take(std::size_t n) noexcept {
    const const_bytes taken = bytes_.first(n);
    bytes_ = bytes_.subspan(n);
    return taken;
  }
  std::uint32_t u32() noexcept { return order_ == order::big ? big_u32(take(4)) : little_u32(take(4)); }
  std::uint16_t u16() noexcept {
    const const_bytes at = take(2);
    const auto first = std::to_integer<unsigned>(at[0]);
    const auto second = std::to_integer<unsigned>(at[1]);
    return static_cast<std::uint16_t>(order_ == order::big ? first << 8 | second : second << 8 | first);
  }
  std::uint64_t u64() noexcept {
    const std::uint64_t first = u32();
    const std::uint64_t second = u32();
    return order_ == order::big ? first << 32 | second : second << 32 | first;
  }

  // The next option; a code of 0 is the last one. False if it does not fit.
  bool option(std::uint16_t& code, const_bytes& value) noexcept {
    if (size() < 4) return false;
    code = u16();
    const std::size_t length = u16();
    if (pcapng::padded(length) > size()) return false;
    value = take(pcapng::padded(length)).first(length);
    return true;
  }

 private:
  const_bytes bytes_;
  order order_;
};

std::uint32_t reader::u32(const_bytes at) const noexcept { return order_ == order::big ? big_u32(at) : little_u32(at); }

framing::decode_result<record> reader::decode(const_bytes input) {
  if (error_) return result::failed(error_);
  std::size_t done = 0;
  for (;;) {
    const step got = next(input.subspan(done));
    done += got.consumed;
    switch (got.what) {
      case step::kind::passed: position_ += got.consumed; continue;
      case step::kind::found: position_ += got.consumed; return result::complete(got.made, done);
      case step::kind::more: return result::more(done, got.wanted);
      case step::kind::failed: return result::failed(error_);
    }
  }
}

reader::step reader::next(const_bytes input) { return left_to_pass_ != 0 ? pass(input) : next_block(input); }

// 3.1: type and length; of a section, the byte order that both are in comes first.
reader::step reader::next_block(const_bytes input) {
  block_position_ = position_;
  const std::size_t needed = order_ == order::unknown ? 4 : pcapng::block_head;
  if (input.size() < needed) return step::more(needed);
  const bool is_section = little_u32(input) == pcapng::section_header;  // the same in both orders
  block_type_ = is_section ? pcapng::section_header : u32(input);
  if (!is_section && order_ == order::unknown) return refuse(errc::not_pcapng, big_u32(input));
  if (is_section) {
    if (input.size() < pcapng::block_frame) return step::more(pcapng::block_frame);
    const const_bytes magic = input.subspan(pcapng::block_head);
    if (little_u32(magic) != pcapng::byte_order_magic && big_u32(magic) != pcapng::byte_order_magic)
      return refuse(errc::bad_byte_order, big_u32(magic));
    order_ = little_u32(magic) == pcapng::byte_order_magic ? order::little : order::big;
  }
  block_length_ = u32(input.subspan(4));
  if (block_length_ < pcapng::block_frame || block_length_ % 4 != 0) return refuse(errc::bad_block_length, block_length_);
  switch (block_type_) {
    case pcapng::section_header:
    case pcapng::interface_description:
    case pcapng::obsolete_packet:
    case pcapng::simple_packet:
    case pcapng::enhanced_packet: break;
    default: left_to_pass_ = block_length_ - static_cast<std::uint32_t>(pcapng::block_head); return {.consumed = pcapng::block_head};
  }
  if (block_length_ > limits_.max_block) return refuse(errc::block_too_long, block_length_);
  if (input.size() < block_length_) return step::more(block_length_);
  const const_bytes block = input.first(block_length_);
  if (u32(block.last(4)) != block_length_) return refuse(errc::bad_block_length, u32(block.last(4)));
  return whole_block(block, block_type_);
}

// All but the length at the end, as much as there is.
reader::step reader::pass(const_bytes input) {
  if (left_to_pass_ > 4) {
    const std::size_t n = std::min<std::size_t>(input.size(), left_to_pass_ - 4);
    if (n == 0) return step::more(1);
    left_to_pass_ -= static_cast<std::uint32_t>(n);
    return {.consumed = n};
  }
  if (input.size() < 4) return step::more(4);
  if (u32(input) != block_length_) return refuse(errc::bad_block_length, u32(input));
  left_to_pass_ = 0;
  return {.consumed = 4};
}

reader::step reader::whole_block(const_bytes block, std::uint32_t type) {
  const const_bytes body = block.subspan(pcapng::block_head, block.size() - pcapng::block_frame);
  step got;
  if (type == pcapng::section_header)
    got = read_section(body);
  else if (type == pcapng::interface_description)
    got = read_interface(body);
  else if (type == pcapng::simple_packet)
    got = read_simple_packet(body);
  else
    got = read_packet(body, type);
  got.consumed = got.what == step::kind::failed ? 0 : block.size();
  return got;
}

// 4.1. What the options say is of no interest, and where the section ends the next one begins.
reader::step reader::read_section(const_bytes body) {
  if (body.size() < pcapng::section_fields) return refuse(errc::bad_block, body.size());
  fields from(body, order_);
  from.take(4);
  const std::uint16_t major = from.u16();
  if (major != 1) return refuse(errc::bad_version, major);
  interfaces_.clear();
  return {};
}

// 4.2.
reader::step reader::read_interface(const_bytes body) {
  if (body.size() < pcapng::interface_fields) return refuse(errc::bad_block, body.size());
  fields from(body, order_);
  const std::uint16_t link_type = from.u16();
  from.take(2);
  if (link_type != pcapng::link_type) return refuse(errc::wrong_link_type, link_type);
  if (interfaces_.size() >= limits_.max_interfaces) return refuse(errc::too_many_interfaces, limits_.max_interfaces);
  description made;
  made.connection = interfaces_.size();
  made.max_data = from.u32();
  const step got = read_interface_options(from, made);
  if (got.what == step::kind::passed) interfaces_.push_back(made);
  return got;
}

reader::step reader::read_interface_options(fields options, description& into) {
  while (!options.empty()) {
    std::uint16_t code = 0;
    const_bytes value;
    if (!options.option(code, value)) return refuse(errc::bad_option, code);
    if (code == pcapng::option_end) break;
    if (code == pcapng::interface_name) into.connection = connection_in(text_of(value)).value_or(into.connection);
    if (code == pcapng::interface_resolution) {
      if (value.size() != 1) return refuse(errc::bad_option, code);
      into.resolution = std::to_integer<std::uint8_t>(value[0]);
    }
    if (code == pcapng::interface_offset) {
      if (value.size() != 8) return refuse(errc::bad_option, code);
      into.offset = static_cast<std::int64_t>(fields(value, order_).u64());
    }
  }
  return {};
}

// 4.3, and appendix A, whose fields lie in the same places.
reader::step reader::read_packet(const_bytes body, std::uint32_t type) {
  if (body.size() < pcapng::packet_fields) return refuse(errc::bad_block, body.size());
  fields from(body, order_);
  std::uint32_t interface = 0;
  record made;
  if (type == pcapng::enhanced_packet) {
    interface = from.u32();
  } else {
    interface = from.u16();
    const std::uint16_t drops = from.u16();
    if (drops != 0xffff) made.missing_records = drops;  // which stands for "unknown"
  }
  if (interface >= interfaces_.size()) return refuse(errc::unknown_interface, interface);
  const std::uint64_t high = from.u32();
  const std::uint64_t ticks = high << 32 | from.u32();
  if (!set_time(interfaces_[interface], ticks, made)) return refuse(errc::bad_timestamp, ticks);
  const std::size_t captured = from.u32();
  const std::size_t original = from.u32();
  if (captured > from.size() || pcapng::padded(captured) > from.size()) return refuse(errc::bad_block, captured);
  const const_bytes packet = from.take(pcapng::padded(captured)).first(captured);
  made.connection = interfaces_[interface].connection;
  made.missing_bytes = original > captured ? original - captured : 0;
  const step got = read_packet_options(from, made);
  return got.what == step::kind::passed ? read_serial(packet, made) : got;
}

reader::step reader::read_packet_options(fields options, record& into) {
  while (!options.empty()) {
    std::uint16_t code = 0;
    const_bytes value;
    if (!options.option(code, value)) return refuse(errc::bad_option, code);
    if (code == pcapng::option_end) break;
    if (code == pcapng::option_comment && into.note.empty()) into.note = text_of(value);
    if (code == pcapng::packet_drop_count) {
      if (value.size() != 8) return refuse(errc::bad_option, code);
      into.missing_records = fields(value, order_).u64();
    }
  }
  return {};
}

// 4.4: of the first interface, without a time of its own; but the packet has one.
reader::step reader::read_simple_packet(const_bytes body) {
  if (body.size() < 4) return refuse(errc::bad_block, body.size());
  if (interfaces_.empty()) return refuse(errc::unknown_interface, 0);
  fields from(body, order_);
  const std::size_t original = from.u32();
  const std::size_t limit = interfaces_[0].max_data;
  const std::size_t captured = limit == 0 ? original : std::min(original, limit);
  if (captured > from.size()) return refuse(errc::bad_block, captured);
  const const_bytes packet = from.take(captured);
  record made;
  made.connection = interfaces_[0].connection;
  made.missing_bytes = original - captured;
  if (packet.size() < pcapng::packet_header) return refuse(errc::bad_packet, packet.size());
  made.time = std::chrono::seconds(big_u32(packet)) + std::chrono::microseconds(big_u32(packet.subspan(4)));
  return read_serial(packet, made);
}

reader::step reader::read_serial(const_bytes packet, record& into) {
  if (packet.size() < pcapng::packet_header) return refuse(errc::bad_packet, packet.size());
  into.data = packet.subspan(pcapng::packet_header);
  into.lines = std::to_integer<std::uint8_t>(packet[9]);
  read_kind(std::to_integer<unsigned>(packet[8]), into);
  return {step::kind::found, 0, 0, into};
}

bool reader::set_time(const description& from, std::uint64_t ticks, record& into) const noexcept {
  const bool is_binary = (from.resolution & 0x80U) != 0;
  const unsigned exponent = from.resolution & 0x7fU;
  const auto since = is_binary ? from_binary(ticks, exponent) : from_decimal(ticks, exponent);
  constexpr auto most_offset = static_cast<std::int64_t>(latest / billion);
  if (!since || *since > latest || from.offset > most_offset || from.offset < -most_offset) return false;
  const auto offset = from.offset * static_cast<std::int64_t>(billion);
  const auto time = static_cast<std::int64_t>(*since);
  if (offset > 0 && time > std::numeric_limits<std::int64_t>::max() - offset) return false;
  if (time + offset < 0) return false;
  into.time = std::chrono::nanoseconds(time + offset);
  return true;
}

reader::step reader::refuse(errc why, std::uint64_t found) noexcept {
  error_ = why;
  found_ = found;
  return {.what = step::kind::failed};
}

std::string reader::fault() const {
  if (!error_) return {};
  const std::string found = std::to_string(found_);
  const auto hex = [this] {
    char text[16];
    std::snprintf(text, sizeof text, "%08llx", static_cast<unsigned long long>(found_));
    return std::string(text);
  };
  const std::string place = "byte " + std::to_string(block_position_) + ": " + name_of(block_type_);
  switch (static_cast<errc>(error_.value())) {
    case errc::not_pcapng: {
      const bool is_older = found_ == 0xd4c3b2a1 || found_ == 0xa1b2c3d4 || found_ == 0x4d3cb2a1 || found_ == 0xa1b23c4d;
      if (is_older) return "this is a file of the older format pcap; expected pcapng, as \"editcap -F pcapng\" makes it";
      return "the file begins with " + hex() + "; expected 0a0d0d0a, the Section Header Block of pcapng";
    }
    case errc::bad_byte_order: return place + " with " + hex() + " for its byte order; expected 1a2b3c4d or 4d3c2b1a";
    case errc::bad_version: return place + " of version " + found + "; expected 1";
    case errc::bad_block_length:
      if (found_ == block_length_) return place + " of " + found + " bytes; expected 12 or more, and a multiple of 4";
      return place + " of " + std::to_string(block_length_) + " bytes, of which its end says " + found + "; expected the same number";
    case errc::block_too_long: return place + " of " + found + " bytes; expected at most " + std::to_string(limits_.max_block);
    case errc::bad_block: return place + " of " + std::to_string(block_length_) + " bytes, which " + found + " bytes of content do not fit";
    case errc::bad_option: return place + " with an option " + found + " of a length that it cannot have";
    case errc::bad_timestamp: return place + " with the time " + found + ", which is not between 1970 and 2262";
    case errc::wrong_link_type:
      return place + " for link type " + found + "; expected 250, RTAC serial: only captures of serial lines can be read";
    case errc::too_many_interfaces: return place + " behind " + found + " others in its section; expected no more";
    case errc::unknown_interface:
      return place + " of interface " + found + "; expected less than " + std::to_string(interfaces_.size()) + ", as many were described";
    case errc::bad_packet: return place + " with a packet of " + found + " bytes; expected 12 or more";
    case errc::capture_cut:
    case errc::connection_lost: break;  // not the reader's
  }
  return error_.message();
}

}  // namespace sluice::capture
