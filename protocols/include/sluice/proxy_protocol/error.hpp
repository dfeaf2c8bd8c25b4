#pragma once

#include <system_error>
#include <type_traits>

namespace sluice::proxy_protocol {

/// Why a connection behind a proxy was not served. A header that does not come in time is `sluice::errc::timed_out`.
enum class errc {
  no_header = 1,    ///< The first bytes are not those of a header of version 1 or 2.
  bad_line,         ///< Version 1: the line is not `PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT` or `PROXY UNKNOWN …` with CR LF.
  bad_version,      ///< The signature of version 2 is followed by another version.
  bad_command,      ///< Version 2: the command is neither LOCAL nor PROXY.
  bad_family,       ///< Version 2: the family or the protocol is none that is specified.
  bad_length,       ///< Version 2: the announced length leaves no room for the addresses.
  bad_address,      ///< Version 2: a name of a Unix socket is none.
  bad_tlv,          ///< Version 2: a TLV reaches beyond the header, or there are two checksums.
  bad_checksum,     ///< Version 2: the CRC32c in the header is not that of the header.
  header_too_long,  ///< The header is longer than the limit, or than the 107 bytes of version 1.
  header_cut,       ///< The connection ended before its header was whole.
  untrusted_source  ///< The connection comes from an address that is not one of the trusted proxies.
};

/// Category of `errc`; its name is "proxy_protocol".
const std::error_category& proxy_protocol_category() noexcept;

std::error_code make_error_code(errc value) noexcept;

}  // namespace sluice::proxy_protocol

template <>
struct std::is_error_code_enum<sluice::proxy_protocol::errc> : std::true_type {};
