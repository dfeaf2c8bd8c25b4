#include <sluice/framing/length_prefix.hpp>

#include <sluice/error.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace sluice::framing {
namespace {

using result = decode_result<const_bytes>;

constexpr std::size_t max_offset = 64 * 1024;

length_prefix_format checked(length_prefix_format format) {
  const auto width = format.width;
  if (width != 1 && width != 2 && width != 3 && width != 4 && width != 8)
    throw std::invalid_argument("length_prefix_format: width must be 1, 2, 3, 4 or 8, not " + std::to_string(width));
  if (format.offset > max_offset)
    throw std::invalid_argument("length_prefix_format: offset must be at most 65536, not " + std::to_string(format.offset));
  format.max_size = std::min(format.max_size, std::numeric_limits<std::size_t>::max() - format.offset - width);
  return format;
}

std::size_t header_size(const length_prefix_format& format) noexcept { return format.offset + format.width; }

// What to add to the number on the wire to get the size of the payload.
std::int64_t wire_to_payload(const length_prefix_format& format) noexcept {
  const auto counted = format.counts == length_counts::frame ? header_size(format) : 0;
  return std::int64_t{format.adjust} - static_cast<std::int64_t>(counted);
}

std::size_t shift_of(const length_prefix_format& format, std::size_t index) noexcept {
  return 8 * (format.order == std::endian::big ? format.width - 1 - index : index);
}

std::uint64_t read_number(const length_prefix_format& format, const_bytes field) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < format.width; ++i) number |= std::to_integer<std::uint64_t>(field[i]) << shift_of(format, i);
  return number;
}

struct sum {
  std::uint64_t value = 0;
  std::error_code error{};
};

sum add(std::uint64_t number, std::int64_t difference) noexcept {
  const auto magnitude =
      difference < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(difference) : static_cast<std::uint64_t>(difference);
  if (difference < 0) return number < magnitude ? sum{0, errc::malformed_message} : sum{number - magnitude};
  return number > std::numeric_limits<std::uint64_t>::max() - magnitude ? sum{0, errc::message_too_long} : sum{number + magnitude};
}

bool fits(std::uint64_t number, unsigned width) noexcept { return width == 8 || number >> (8 * width) == 0; }

}  // namespace

length_prefix_decoder::length_prefix_decoder(length_prefix_format format) : format_(checked(format)) {}

result length_prefix_decoder::decode(const_bytes input) {
  if (error_) return result::failed(error_);
  const auto header = header_size(format_);
  if (input.size() < header) return result::more(0, header);
  const auto payload = add(read_number(format_, input.subspan(format_.offset)), wire_to_payload(format_));
  if (payload.error) return result::failed(error_ = payload.error);
  if (payload.value > format_.max_size) return result::failed(error_ = errc::message_too_long);
  const auto size = static_cast<std::size_t>(payload.value);
  if (input.size() - header < size) return result::more(0, header + size);
  const auto frame = input.first(header + size);
  return result::complete(format_.view == frame_view::frame ? frame : frame.subspan(header), frame.size());
}

length_prefix_encoder::length_prefix_encoder(length_prefix_format format) : format_(checked(format)) {}

std::error_code length_prefix_encoder::write(std::size_t payload_size, mutable_bytes field) const noexcept {
  if (field.size() < format_.width) return errc::bad_buffer;
  if (payload_size > format_.max_size) return errc::message_too_long;
  const auto number = add(payload_size, -wire_to_payload(format_));
  if (number.error) return number.error;
  if (!fits(number.value, format_.width)) return errc::message_too_long;
  for (std::size_t i = 0; i < format_.width; ++i) field[i] = static_cast<std::byte>(number.value >> shift_of(format_, i));
  return {};
}

}  // namespace sluice::framing
