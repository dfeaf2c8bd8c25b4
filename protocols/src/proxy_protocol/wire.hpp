#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sluice/address.hpp>
#include <sluice/bytes.hpp>

// What reading and writing have in common: the numbers of section 2.

namespace sluice::proxy_protocol::detail {

inline constexpr std::string_view line_start = "PROXY ";
inline constexpr std::size_t longest_line = 107;  // CR LF included

inline constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t fixed_size = 16;  // signature, command, family, length
inline constexpr std::size_t longest_block = 65535;
inline constexpr unsigned version_bits = 0x20;
inline constexpr std::size_t unix_name_size = 108;
inline constexpr std::size_t tlv_head = 3;
inline constexpr std::size_t checksum_size = 4;

enum class family : std::uint8_t {
  none = 0,
  v4 = 1,
  v6 = 2,
  local = 3
};

constexpr std::size_t addresses_size(family kind) noexcept {
  switch (kind) {
    case family::none: return 0;
    case family::v4: return 2 * (4 + 2);
    case family::v6: return 2 * (16 + 2);
    case family::local: return 2 * unix_name_size;
  }
  return 0;
}

constexpr std::uint16_t number_at(const_bytes bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 | std::to_integer<unsigned>(bytes[at + 1]));
}

// CRC32c (RFC 9260, appendix A), byte by byte: a header is short.
constexpr std::array<std::uint32_t, 256> make_checksum_table() noexcept {
  std::array<std::uint32_t, 256> made{};
  for (std::uint32_t i = 0; i < made.size(); ++i) {
    std::uint32_t each = i;
    for (int bit = 0; bit < 8; ++bit) each = (each & 1) != 0 ? each >> 1 ^ 0x82f63b78U : each >> 1;
    made[i] = each;
  }
  return made;
}
inline constexpr std::array<std::uint32_t, 256> checksum_table = make_checksum_table();

constexpr std::uint32_t add_to_checksum(std::uint32_t sum, std::byte one) noexcept {
  return checksum_table[(sum ^ std::to_integer<std::uint32_t>(one)) & 0xff] ^ sum >> 8;
}

// Of a whole header, with zeros in place of the checksum that begins `at`.
constexpr std::uint32_t checksum_of(const_bytes whole, std::size_t at) noexcept {
  std::uint32_t sum = ~std::uint32_t{0};
  for (std::size_t i = 0; i < whole.size(); ++i) sum = add_to_checksum(sum, i - at < checksum_size ? std::byte{0} : whole[i]);
  return ~sum;
}

}  // namespace sluice::proxy_protocol::detail
