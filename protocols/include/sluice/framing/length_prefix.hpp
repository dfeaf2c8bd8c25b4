#pragma once

#include <sluice/bytes.hpp>
#include <sluice/framing/decoder.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace sluice::framing {

/// What the number in the length field counts.
enum class length_counts {
  payload,  ///< The bytes behind the field.
  frame     ///< All bytes of the frame: those before the field, the field and the payload.
};

/// What a message shows of a frame.
enum class frame_view {
  payload,  ///< The bytes behind the length field.
  frame     ///< The whole frame; for formats whose bytes before the field carry something (a type, a tag).
};

/// The shape of a frame: `offset` bytes, a length field of `width` bytes, the payload.
struct length_prefix_format {
  /// Bytes of the length field: 1, 2, 3, 4 or 8.
  unsigned width = 4;
  std::endian order = std::endian::big;
  length_counts counts = length_counts::payload;
  /// Bytes before the length field. At most 64 KiB.
  std::size_t offset = 0;
  /// Added to the number on the wire before it is used: 2 where each payload is followed by a checksum of two bytes that the number leaves
  /// out, -1 where it is one too high.
  std::int32_t adjust = 0;
  frame_view view = frame_view::payload;
  /// Bytes of the largest payload that is accepted or announced.
  std::size_t max_size = 1024 * 1024;
};

/// Cuts a stream into frames that start with their length; a message is a view into the input. An announced length is compared and
/// remembered, never allocated. Errors, as soon as the length field is complete: `errc::message_too_long` for a payload above `max_size`,
/// `errc::malformed_message` for a length smaller than what it is said to count.
class length_prefix_decoder {
 public:
  using message_type = const_bytes;
  static constexpr bool needs_every_byte = true;

  /// Throws `std::invalid_argument` for a width or offset that `length_prefix_format` does not allow.
  explicit length_prefix_decoder(length_prefix_format format = {});

  decode_result<const_bytes> decode(const_bytes input);

 private:
  length_prefix_format format_;
  std::error_code error_{};
};

/// The sending side of the same format.
///
///     std::array<std::byte, 4> field;
///     if (!encoder.write(payload.size(), field)) transport.writev({{field, payload}});
class length_prefix_encoder {
 public:
  /// Throws as the decoder does.
  explicit length_prefix_encoder(length_prefix_format format = {});

  /// Writes the length field (not the `offset` bytes before it, which are the caller's) into the first `width` bytes of `field`.
  /// `errc::message_too_long`: the payload is above `max_size` or its number does not fit the width; `errc::malformed_message`: `adjust`
  /// leaves no number for so small a payload; `errc::bad_buffer`: `field` is shorter than `width`. Nothing is written then.
  [[nodiscard]] std::error_code write(std::size_t payload_size, mutable_bytes field) const noexcept;

 private:
  length_prefix_format format_;
};

}  // namespace sluice::framing
