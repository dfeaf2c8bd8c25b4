#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include <sluice/bytes.hpp>
#include <sluice/capture/error.hpp>
#include <sluice/capture/record.hpp>
#include <sluice/framing/decoder.hpp>

namespace sluice::capture {

struct reader_limits {
  /// The longest block that is read as a whole: one with a packet, or that describes a section or an interface. At least 64. Others are
  /// passed over piece by piece, however long they are.
  std::size_t max_block = std::size_t{1024} * 1024;
  /// Interfaces in one section, at 32 bytes each.
  std::size_t max_interfaces = 65536;
};

/// Reads capture files with serial lines in them, those of `writer` and those of others: a `framing::decoder` whose messages are records.
///
/// pcapng of version 1 (draft-ietf-opsawg-pcapng), in either byte order, with any number of sections, with any resolution and offset of
/// times, with Enhanced, Simple and obsolete Packet Blocks; blocks and options of other kinds are passed over. Interfaces of another link
/// type than 250 (LINKTYPE_RTAC_SERIAL) are refused. A record's connection is that of an interface called "connection N", else the number
/// of the interface. Bytes that are left over at the end of the file are `errc::capture_cut`.
class reader {
 public:
  using message_type = record;
  static constexpr bool needs_every_byte = true;

  explicit reader(reader_limits limits = {}) noexcept : limits_(limits) {}

  /// The views of the record are of the input.
  framing::decode_result<record> decode(const_bytes input);

  /// Bytes of the file that were consumed.
  std::uint64_t position() const noexcept { return position_; }
  /// After an error: what is wrong, in which block, and what would be right. Empty before.
  std::string fault() const;

 private:
  using result = framing::decode_result<record>;
  enum class order : std::uint8_t {
    unknown,  // before the first section
    little,
    big
  };
  struct description {
    std::uint64_t connection = 0;
    std::int64_t offset = 0;     // seconds
    std::uint32_t max_data = 0;  // 0 is no limit
    std::uint8_t resolution = 6;
  };
  struct step;
  class fields;

  step next(const_bytes input);
  step next_block(const_bytes input);
  step pass(const_bytes input);
  step whole_block(const_bytes block, std::uint32_t type);
  step read_section(const_bytes body);
  step read_interface(const_bytes body);
  step read_interface_options(fields options, description& into);
  step read_packet(const_bytes body, std::uint32_t type);
  step read_simple_packet(const_bytes body);
  step read_packet_options(fields options, record& into);
  step read_serial(const_bytes packet, record& into);
  step refuse(errc why, std::uint64_t found = 0) noexcept;
  bool set_time(const description& from, std::uint64_t ticks, record& into) const noexcept;

  std::uint32_t u32(const_bytes at) const noexcept;

  reader_limits limits_;
  std::vector<description> interfaces_;  // of this section
  std::uint64_t position_ = 0;
  std::uint64_t block_position_ = 0;  // of the block that is being read
  std::uint64_t found_ = 0;           // what was wrong about it
  std::uint32_t block_type_ = 0;
  std::uint32_t block_length_ = 0;
  std::uint32_t left_to_pass_ = 0;  // of a block that is of no interest
  order order_ = order::unknown;
  std::error_code error_;
};

}  // namespace sluice::capture
