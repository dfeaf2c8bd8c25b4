// Line and length-prefix decoders of every format: the first four bytes choose the format and the cuts, the rest is the stream.

#include <sluice/framing/length_prefix.hpp>
#include <sluice/framing/line.hpp>

#include <array>
#include <cstdint>
#include <span>

#include "decoder_oracle.hpp"

using namespace sluice;
using namespace sluice::framing;

namespace {

line_ending ending_of(unsigned choice) {
  switch (choice % 4) {
    case 0: return line_ending::lf();
    case 1: return line_ending::crlf();
    case 2: return line_ending::custom("aab");
    default: return line_ending::custom(std::string_view("\0", 1));
  }
}

void check_lines(unsigned choice, unsigned limit, const_bytes stream) {
  const line_options options{ending_of(choice), limit % 2 == 0 ? 64 * 1024 : limit / 2u};
  const auto result = oracle::check_decoder(line_decoder(options), stream, limit);
  std::string joined;
  for (const auto& line : result.messages) {
    oracle::require(line.size() <= options.max_length, "no line is above the limit");
    joined.append(line).append(options.ending.bytes());
  }
  const auto again = oracle::decode_uncut(line_decoder(options), as_bytes(joined), testing::message_renderer());
  const bool unchanged = !options.ending.strips_carriage_return() || joined.find('\r') == std::string::npos;
  oracle::require(!unchanged || again.messages == result.messages, "lines and their endings read back as the same lines");
}

length_prefix_format format_of(unsigned choice, unsigned adjust, unsigned limit) {
  constexpr std::array<unsigned, 5> widths = {1, 2, 3, 4, 8};
  length_prefix_format format;
  format.width = widths[choice % 5];
  format.order = (choice & 8) != 0 ? std::endian::little : std::endian::big;
  format.counts = (choice & 16) != 0 ? length_counts::frame : length_counts::payload;
  format.view = (choice & 32) != 0 ? frame_view::frame : frame_view::payload;
  format.offset = choice / 64;
  format.adjust = static_cast<std::int32_t>(adjust % 7) - 3;
  if (limit % 2 != 0) format.max_size = limit;
  return format;
}

void check_frames(const length_prefix_format& format, unsigned seed, const_bytes stream) {
  const auto result = oracle::check_decoder(length_prefix_decoder(format), stream, seed);
  if (format.view == frame_view::frame) return;
  const length_prefix_encoder encoder(format);
  for (const auto& payload : result.messages) {
    std::array<std::byte, 8> field{};
    oracle::require(payload.size() <= format.max_size, "no payload is above the limit");
    oracle::require(!encoder.write(payload.size(), field), "what was read can be written");
    std::string frame(format.offset, 'x');
    frame.append(as_text(std::span(field).first(format.width))).append(payload);
    const auto again = oracle::decode_uncut(length_prefix_decoder(format), as_bytes(frame), testing::message_renderer());
    oracle::require(again.messages.size() == 1 && again.messages[0] == payload && again.left_over == 0, "what is written reads back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 4) return 0;
  const auto stream = std::as_bytes(std::span(data, size)).subspan(4);
  if (data[0] % 2 == 0)
    check_lines(data[1], data[2], stream);
  else
    check_frames(format_of(data[1], data[2], data[3]), data[2], stream);
  return 0;
}
