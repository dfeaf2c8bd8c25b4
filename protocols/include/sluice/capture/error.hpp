#pragma once

#include <system_error>
#include <type_traits>

namespace sluice::capture {

/// Why a capture file cannot be read on, or played.
enum class errc {
  not_pcapng = 1,       ///< The file does not begin with a Section Header Block.
  bad_byte_order,       ///< A Section Header Block without a byte order magic.
  bad_version,          ///< A section of another version than 1.
  bad_block_length,     ///< A length of a block that cannot be, or the two at its ends differ.
  block_too_long,       ///< A block is longer than `reader_limits::max_block`.
  bad_block,            ///< The fields of a block do not fit into it.
  bad_option,           ///< An option reaches beyond its block, or has a length that it cannot have.
  bad_timestamp,        ///< A time that is not between 1970 and 2262.
  wrong_link_type,      ///< Packets of an interface that is no serial line as LINKTYPE_RTAC_SERIAL has it.
  too_many_interfaces,  ///< More than `reader_limits::max_interfaces` in one section.
  unknown_interface,    ///< A packet of an interface that was not described before it.
  bad_packet,           ///< A packet shorter than the header that each one has.
  capture_cut,          ///< The file ends inside a block.
  connection_lost       ///< A player has come to the place where the recorded connection was lost by an error.
};

/// Category of `errc`; its name is "capture".
const std::error_category& capture_category() noexcept;

std::error_code make_error_code(errc value) noexcept;

}  // namespace sluice::capture

template <>
struct std::is_error_code_enum<sluice::capture::errc> : std::true_type {};
