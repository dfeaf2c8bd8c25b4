#include <sluice/capture/pcapng_encoder.hpp>

#include <algorithm>
#include <limits>
#include <string_view>

#include "capture/pcapng.hpp"

namespace sluice::capture {
namespace {

constexpr std::size_t longest_option = 65535;

// Appends one block: begun when it is made, ended when it goes.
class block {
 public:
  block(std::string& out, std::uint32_t type) : out_(out), begin_(out.size()) {
    u32(type);
    u32(0);
  }
  block(const block&) = delete;
  block& operator=(const block&) = delete;

  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void big_u32(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(value >> shift));
  }
  void bytes(std::string_view text) { out_.append(text); }
  void pad() { out_.append(pcapng::padded(out_.size() - begin_) - (out_.size() - begin_), '\0'); }

  void option(std::uint16_t code, std::string_view value) {
    value = value.substr(0, longest_option);
    u16(code);
    u16(static_cast<std::uint16_t>(value.size()));
    bytes(value);
    pad();
  }
  void end() {
    const auto size = static_cast<std::uint32_t>(out_.size() - begin_ + 4);
    u32(size);
    for (std::size_t i = 0; i < 4; ++i) out_[begin_ + 4 + i] = static_cast<char>(size >> (8 * i));
  }

 private:
  void number(std::uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
  }

  std::string& out_;
  std::size_t begin_;
};

unsigned kind_of(event what) noexcept {
  switch (what) {
    case event::received: return pcapng::kind_received;
    case event::sent: return pcapng::kind_sent;
    case event::dropped: return pcapng::kind_dropped;
    case event::parity_error: return pcapng::kind_parity;
    case event::framing_error: return pcapng::kind_framing;
    case event::line_break: return pcapng::kind_break;
    case event::overrun: return pcapng::kind_overrun;
    case event::connected:
    case event::input_ended:
    case event::output_ended:
    case event::reading_paused:
    case event::reading_resumed:
    case event::writing_paused:
    case event::writing_resumed:
    case event::lost:
    case event::lines_changed:
    case event::other: return pcapng::kind_status;
  }
  return pcapng::kind_status;
}

std::uint32_t flags_of(event what) noexcept {
  if (what == event::sent || what == event::output_ended) return pcapng::flag_outbound;
  const bool is_input = what == event::received || what == event::input_ended || what == event::parity_error ||
                        what == event::framing_error || what == event::line_break || what == event::overrun;
  return is_input ? pcapng::flag_inbound : 0;
}

std::string comment_of(const record& made) {
  if (kind_of(made.what) != pcapng::kind_status) return std::string(made.note);
  std::string text = to_string(made.what);
  if (!made.note.empty()) text.append(": ").append(made.note);
  return text;
}

}  // namespace

void pcapng_encoder::begin(std::string& out) {
  ++section_;
  described_ = 0;
  block made(out, pcapng::section_header);
  made.u32(pcapng::byte_order_magic);
  made.u16(1);
  made.u16(0);
  made.u64(std::numeric_limits<std::uint64_t>::max());  // the length of the section is not told
  made.option(pcapng::section_application, "sluice");
  made.option(pcapng::option_end, {});
  made.end();
}

void pcapng_encoder::append(std::string& out, const record& made) {
  const std::uint32_t interface = interface_for(out, made);
  const auto since = static_cast<std::uint64_t>(std::max<std::int64_t>(made.time.count(), 0));
  const std::uint64_t captured = pcapng::packet_header + made.data.size();
  const std::uint64_t original = std::min<std::uint64_t>(captured + std::min<std::uint64_t>(made.missing_bytes, 0xffffffff), 0xffffffff);

  block packet(out, pcapng::enhanced_packet);
  packet.u32(interface);
  packet.u32(static_cast<std::uint32_t>(since >> 32));
  packet.u32(static_cast<std::uint32_t>(since));
  packet.u32(static_cast<std::uint32_t>(captured));
  packet.u32(static_cast<std::uint32_t>(original));
  packet.big_u32(static_cast<std::uint32_t>(since / 1'000'000'000));
  packet.big_u32(static_cast<std::uint32_t>(since % 1'000'000'000 / 1000));
  const char kind_and_lines[] = {static_cast<char>(kind_of(made.what)), static_cast<char>(made.lines), 0, 0};
  packet.bytes({kind_and_lines, sizeof kind_and_lines});
  packet.bytes(as_text(made.data));
  packet.pad();
  if (const std::string comment = comment_of(made); !comment.empty()) packet.option(pcapng::option_comment, comment);
  if (const std::uint32_t flags = flags_of(made.what); flags != 0) {
    packet.u16(pcapng::packet_flags);
    packet.u16(4);
    packet.u32(flags);
  }
  if (made.missing_records != 0) {
    packet.u16(pcapng::packet_drop_count);
    packet.u16(8);
    packet.u64(made.missing_records);
  }
  packet.option(pcapng::option_end, {});
  packet.end();
}

// The number of the record's interface, which is described first if this section has not done so.
std::uint32_t pcapng_encoder::interface_for(std::string& out, const record& made) {
  interface_entry& entry = interfaces_[made.connection];
  if (made.what == event::connected) entry.kind = made.note;
  if (entry.section != section_) {
    entry.section = section_;
    entry.number = described_++;
    block described(out, pcapng::interface_description);
    described.u16(pcapng::link_type);
    described.u16(0);
    described.u32(0);  // no limit to the length of a packet
    described.option(pcapng::interface_name, "connection " + std::to_string(made.connection));
    if (!entry.kind.empty()) described.option(pcapng::interface_about, entry.kind);
    described.option(pcapng::interface_resolution, "\x09");
    described.option(pcapng::option_end, {});
    described.end();
  }
  const std::uint32_t number = entry.number;
  if (made.what == event::lost) interfaces_.erase(made.connection);
  return number;
}

}  // namespace sluice::capture
