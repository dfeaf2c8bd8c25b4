#pragma once

#include <cstddef>
#include <cstdint>

// Numbers of the file format, draft-ietf-opsawg-pcapng, whose sections are given, and of the packets in it, LINKTYPE_RTAC_SERIAL
// (https://www.tcpdump.org/linktypes/LINKTYPE_RTAC_SERIAL.html).
namespace sluice::capture::pcapng {

// 4.1–4.6 and appendix A; every block has its type and its length in front, and its length again behind (3.1).
inline constexpr std::uint32_t section_header = 0x0a0d0d0a;
inline constexpr std::uint32_t interface_description = 1;
inline constexpr std::uint32_t obsolete_packet = 2;
inline constexpr std::uint32_t simple_packet = 3;
inline constexpr std::uint32_t enhanced_packet = 6;
inline constexpr std::size_t block_head = 8;
inline constexpr std::size_t block_frame = 12;

inline constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;  // 4.1
inline constexpr std::size_t section_fields = 16;
inline constexpr std::size_t interface_fields = 8;
inline constexpr std::size_t packet_fields = 20;

// 3.5, 4.2 and 4.3.
inline constexpr std::uint16_t option_end = 0;
inline constexpr std::uint16_t option_comment = 1;
inline constexpr std::uint16_t section_application = 4;
inline constexpr std::uint16_t interface_name = 2;
inline constexpr std::uint16_t interface_about = 3;
inline constexpr std::uint16_t interface_resolution = 9;
inline constexpr std::uint16_t interface_offset = 14;
inline constexpr std::uint16_t packet_flags = 2;
inline constexpr std::uint16_t packet_drop_count = 4;
inline constexpr std::uint32_t flag_inbound = 1;  // 4.3.1
inline constexpr std::uint32_t flag_outbound = 2;

inline constexpr std::uint16_t link_type = 250;  // LINKTYPE_RTAC_SERIAL
inline constexpr std::size_t packet_header = 12;
inline constexpr unsigned kind_status = 0;
inline constexpr unsigned kind_sent = 1;
inline constexpr unsigned kind_received = 2;
inline constexpr unsigned kind_sent_end = 3;
inline constexpr unsigned kind_received_end = 4;
inline constexpr unsigned kind_dropped = 5;
inline constexpr unsigned kind_framing = 7;
inline constexpr unsigned kind_parity = 8;
inline constexpr unsigned kind_break = 9;
inline constexpr unsigned kind_overrun = 10;

constexpr std::size_t padded(std::size_t size) noexcept { return (size + 3) & ~std::size_t{3}; }

}  // namespace sluice::capture::pcapng
