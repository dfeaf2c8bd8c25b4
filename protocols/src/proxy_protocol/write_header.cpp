#include <sluice/proxy_protocol/header.hpp>

#include <algorithm>
#include <string_view>

#include <sluice/proxy_protocol/error.hpp>

#include "proxy_protocol/wire.hpp"

namespace sluice::proxy_protocol {
namespace {

using detail::family;

void append(std::string& out, const_bytes bytes) { out.append(as_text(bytes)); }

void append_number(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

family family_of(const header& one) noexcept {
  if (one.command == command::local || one.carrier == carrier::unspecified) return family::none;
  if (one.source.is_v4() && one.destination.is_v4()) return family::v4;
  if (one.source.is_ip() && one.destination.is_ip()) return family::v6;
  return one.source.is_unix() && one.destination.is_unix() ? family::local : family::none;
}

// ::ffff:10.1.2.3 for 10.1.2.3.
address as_v6(const address& one) noexcept {
  if (one.is_v6()) return address::v6(one.ip_bytes().first<16>(), one.port());
  std::array<std::byte, 16> bytes{};
  bytes[10] = bytes[11] = std::byte{0xff};
  std::ranges::copy(one.ip_bytes(), bytes.begin() + 12);
  return address::v6(bytes, one.port());
}

void append_line(std::string& out, const header& one) {
  family kind = family_of(one);
  if (one.carrier != carrier::stream || kind == family::local) kind = family::none;
  out.append(detail::line_start);
  if (kind == family::none) {
    out.append("UNKNOWN\r\n");
    return;
  }
  const bool old = kind == family::v4;
  const address source = old ? one.source : as_v6(one.source);
  const address destination = old ? one.destination : as_v6(one.destination);
  out.append(old ? "TCP4 " : "TCP6 ").append(source.host()).append(" ").append(destination.host());
  out.append(" ").append(std::to_string(source.port())).append(" ").append(std::to_string(destination.port())).append("\r\n");
}

void append_unix_name(std::string& out, const address& one) {
  const std::string_view name = one.abstract_name();
  const std::size_t before = out.size();
  if (!name.empty()) out.append(1, '\0').append(name);
  out.append(one.path());
  out.resize(before + detail::unix_name_size);
}

void append_addresses(std::string& out, family kind, const header& one) {
  switch (kind) {
    case family::none: return;
    case family::v4:
      append(out, one.source.ip_bytes());
      append(out, one.destination.ip_bytes());
      break;
    case family::v6:
      append(out, as_v6(one.source).ip_bytes());
      append(out, as_v6(one.destination).ip_bytes());
      break;
    case family::local:
      append_unix_name(out, one.source);
      append_unix_name(out, one.destination);
      return;
  }
  append_number(out, one.source.port());
  append_number(out, one.destination.port());
}

void append_checksum(std::string& out, std::size_t header_begin) {
  out += static_cast<char>(tlv_type::crc32c);
  append_number(out, detail::checksum_size);
  const std::size_t at = out.size() - header_begin;
  out.append(detail::checksum_size, '\0');
  const std::uint32_t sum = detail::checksum_of(as_bytes(std::string_view(out).substr(header_begin)), at);
  out.resize(header_begin + at);
  append_number(out, sum >> 16);
  append_number(out, sum & 0xffff);
}

// Those that were given, without a checksum of other bytes.
void append_tlvs(std::string& out, tlv_list tlvs) {
  for (const tlv_list::tlv each : tlvs) {
    if (each.type == tlv_type::crc32c) continue;
    out += static_cast<char>(each.type);
    append_number(out, each.value.size());
    append(out, each.value);
  }
}

void append_block(std::string& out, const header& one, encoding how) {
  const std::size_t begin = out.size();
  const family kind = family_of(one);
  const auto protocol = static_cast<unsigned>(kind == family::none ? carrier::unspecified : one.carrier);
  out.append(detail::signature);
  out += static_cast<char>(detail::version_bits | (one.command == command::proxy ? 1 : 0));
  out += static_cast<char>(static_cast<unsigned>(kind) << 4 | protocol);
  append_number(out, 0);  // until it is known
  append_addresses(out, kind, one);
  append_tlvs(out, one.tlvs);
  const std::size_t size = out.size() - begin - detail::fixed_size + (how.checksum ? detail::tlv_head + detail::checksum_size : 0);
  out[begin + 14] = static_cast<char>(size >> 8 & 0xff);
  out[begin + 15] = static_cast<char>(size & 0xff);
  if (how.checksum) append_checksum(out, begin);
}

}  // namespace

std::error_code write_header(std::string& out, const header& one, encoding how) {
  constexpr std::size_t most = detail::longest_block - detail::addresses_size(family::local) - detail::tlv_head - detail::checksum_size;
  if (one.format == version::v2 && one.tlvs.bytes().size() > most) return errc::header_too_long;
  const std::size_t before = out.size();
  try {
    one.format == version::v1 ? append_line(out, one) : append_block(out, one, how);
  } catch (...) {
    out.resize(before);
    throw;
  }
  return {};
}

std::error_code write_tlv(std::string& out, tlv_type type, const_bytes value) {
  if (value.size() > detail::longest_block) return errc::header_too_long;
  out.reserve(out.size() + detail::tlv_head + value.size());
  out += static_cast<char>(type);
  append_number(out, value.size());
  append(out, value);
  return {};
}

}  // namespace sluice::proxy_protocol
