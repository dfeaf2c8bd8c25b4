#include <sluice/proxy_protocol/header_decoder.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "proxy_protocol/wire.hpp"

namespace sluice::proxy_protocol {
namespace {

using detail::family;

// "TCP4", SOURCE, DESTINATION, PORT, PORT: cut at single blanks.
using words = std::array<std::string_view, 5>;

std::optional<words> cut(std::string_view line) noexcept {
  words made;
  for (std::string_view& each : made) {
    const bool last = &each == &made.back();
    const std::size_t blank = line.find(' ');
    if ((blank == std::string_view::npos) != last) return std::nullopt;
    each = line.substr(0, blank);
    line.remove_prefix(last ? line.size() : blank + 1);
  }
  return made;
}

std::optional<std::uint16_t> port_of(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool canonical = text.size() == 1 || !text.starts_with('0');
  return error == std::errc() && end == text.data() + text.size() && canonical ? std::optional(port) : std::nullopt;
}

// A scope belongs to a machine and means nothing to another.
address address_of(std::string_view host, std::string_view port, address_family wanted) noexcept {
  const auto number = port_of(port);
  if (!number || host.find('%') != std::string_view::npos) return {};
  std::error_code error;
  const address made = address::ip(host, *number, error);
  return made.family() == wanted ? made : address();
}

std::optional<header> read_line(std::string_view line) noexcept {
  header made;
  made.format = version::v1;
  line.remove_prefix(detail::line_start.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return made;
  const auto parts = cut(line);
  if (!parts || ((*parts)[0] != "TCP4" && (*parts)[0] != "TCP6")) return std::nullopt;
  const address_family wanted = (*parts)[0] == "TCP4" ? address_family::v4 : address_family::v6;
  made.carrier = carrier::stream;
  made.source = address_of((*parts)[1], (*parts)[3], wanted);
  made.destination = address_of((*parts)[2], (*parts)[4], wanted);
  return made.source.empty() || made.destination.empty() ? std::nullopt : std::optional(made);
}

address unix_name(const_bytes field) noexcept {
  std::string_view name = as_text(field);
  std::error_code error;
  if (name.front() != '\0') return address::unix_path(name.substr(0, name.find('\0')), error);
  name = name.substr(0, name.find_last_not_of('\0') + 1);
  return name.empty() ? address::unix_unnamed() : address::unix_abstract(name.substr(1), error);
}

// Source, destination, then the two ports.
template <std::size_t Size>
void read_ip(const_bytes block, header& into) noexcept {
  const auto host = [block](std::size_t at) { return block.subspan(at).template first<Size>(); };
  const std::uint16_t from = detail::number_at(block, 2 * Size);
  const std::uint16_t to = detail::number_at(block, 2 * Size + 2);
  if constexpr (Size == 4) {
    into.source = address::v4(host(0), from);
    into.destination = address::v4(host(Size), to);
  } else {
    into.source = address::v6(host(0), from);
    into.destination = address::v6(host(Size), to);
  }
}

bool read_addresses(family kind, const_bytes block, header& into) noexcept {
  switch (kind) {
    case family::none: return true;
    case family::v4: read_ip<4>(block, into); return true;
    case family::v6: read_ip<16>(block, into); return true;
    case family::local:
      into.source = unix_name(block.first(detail::unix_name_size));
      into.destination = unix_name(block.subspan(detail::unix_name_size, detail::unix_name_size));
      return !into.source.empty() && !into.destination.empty();
  }
  return false;
}

// An empty code if there is no checksum, or a right one.
std::error_code check(const_bytes whole, tlv_list tlvs) noexcept {
  const auto sum = tlvs.find(tlv_type::crc32c);
  if (!sum) return {};
  const auto is_sum = [](tlv_list::tlv each) { return each.type == tlv_type::crc32c; };
  if (std::ranges::count_if(tlvs.begin(), tlvs.end(), is_sum) > 1) return errc::bad_tlv;
  if (sum->size() != detail::checksum_size) return errc::bad_checksum;
  const std::uint32_t said = std::uint32_t{detail::number_at(*sum, 0)} << 16 | detail::number_at(*sum, 2);
  return said == detail::checksum_of(whole, static_cast<std::size_t>(sum->data() - whole.data())) ? std::error_code() : errc::bad_checksum;
}

// The two bytes behind the signature, as far as they are there.
std::error_code check_kind(const_bytes input) noexcept {
  const auto at = [input](std::size_t i) { return std::to_integer<unsigned>(input[i]); };
  if (input.size() <= 12) return {};
  if ((at(12) & 0xf0) != detail::version_bits) return errc::bad_version;
  if ((at(12) & 0x0f) > 1) return errc::bad_command;
  if (input.size() <= 13 || (at(12) & 0x0f) == 0) return {};
  const unsigned kind = at(13) >> 4;
  const unsigned protocol = at(13) & 0x0f;
  const bool is_known = at(13) == 0 || (kind >= 1 && kind <= 3 && protocol >= 1 && protocol <= 2);
  return is_known ? std::error_code() : errc::bad_family;
}

}  // namespace

framing::decode_result<header> header_decoder::decode(const_bytes input) noexcept {
  if (error_) return result::failed(error_);
  const std::string_view text = as_text(input);
  const std::string_view expected = text.starts_with('P') ? detail::line_start : detail::signature;
  if (!expected.starts_with(text.substr(0, expected.size()))) return refuse(errc::no_header);
  if (text.size() < expected.size()) return result::more(0, text.size() + 1);
  return text.starts_with('P') ? decode_line(input) : decode_block(input);
}

header_decoder::result header_decoder::refuse(errc why) noexcept { return result::failed(error_ = why); }

header_decoder::result header_decoder::decode_line(const_bytes input) noexcept {
  const std::string_view text = as_text(input).substr(0, detail::longest_line);
  const std::size_t end = text.find('\n', scanned_);
  if (end == std::string_view::npos) {
    if (text.size() == detail::longest_line) return refuse(errc::header_too_long);
    scanned_ = text.size();
    return result::more(0, text.size() + 1);
  }
  if (text[end - 1] != '\r') return refuse(errc::bad_line);
  const auto made = read_line(text.substr(0, end - 1));
  if (!made) return refuse(errc::bad_line);
  scanned_ = 0;
  return result::complete(*made, end + 1);
}

header_decoder::result header_decoder::decode_block(const_bytes input) noexcept {
  if (const std::error_code error = check_kind(input)) return result::failed(error_ = error);
  if (input.size() < detail::fixed_size) return result::more(0, input.size() + 1);
  const std::size_t total = detail::fixed_size + detail::number_at(input, 14);
  if (total > limits_.max_size) return refuse(errc::header_too_long);
  const bool is_local = (std::to_integer<unsigned>(input[12]) & 0x0f) == 0;
  const auto kind = is_local ? family::none : static_cast<family>(std::to_integer<unsigned>(input[13]) >> 4);
  const std::size_t addresses = detail::addresses_size(kind);
  if (total < detail::fixed_size + addresses) return refuse(errc::bad_length);
  if (input.size() < total) return result::more(0, total);
  header made;
  if (is_local) {
    made.command = command::local;
    return result::complete(made, total);
  }
  const const_bytes whole = input.first(total);
  if (kind != family::none) made.carrier = (std::to_integer<unsigned>(input[13]) & 0x0f) == 1 ? carrier::stream : carrier::datagram;
  if (!read_addresses(kind, whole.subspan(detail::fixed_size), made)) return refuse(errc::bad_address);
  made.tlvs = tlv_list(whole.subspan(detail::fixed_size + addresses));
  if (!made.tlvs.is_whole()) {
    if (kind != family::none) return refuse(errc::bad_tlv);
    made.tlvs = {};  // addresses of a family that only the sender knows
  }
  if (const std::error_code error = check(whole, made.tlvs)) return result::failed(error_ = error);
  return result::complete(made, total);
}

}  // namespace sluice::proxy_protocol
