#include <sluice/framing/length_prefix.hpp>

#include <sluice/error.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::framing;
using namespace std::string_literals;
using namespace std::string_view_literals;
using testing::verify_decoder;
using messages = std::vector<std::string>;

namespace {

struct row {
  const char* what;
  length_prefix_format format;
  std::string_view stream;
  messages expected;
  std::error_code error;
  std::size_t left_over;
};

void check_rows(const std::vector<row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto report = verify_decoder(length_prefix_decoder(row.format), row.stream);
    CHECK(report.failure == "");
    CHECK(report.messages == row.expected);
    CHECK(report.error == row.error);
    CHECK(report.left_over == row.left_over);
  }
}

std::string written(const length_prefix_format& format, std::size_t payload_size) {
  std::array<std::byte, 8> field{};
  REQUIRE(length_prefix_encoder(format).write(payload_size, field) == std::error_code());
  return std::string(as_text(field).substr(0, format.width));
}

}  // namespace

TEST_CASE("every width in both byte orders announces the payload that follows") {
  check_rows({{"1", {.width = 1}, "\3abc\0\1z"sv, {"abc", "", "z"}, {}, 0},
              {"2 big", {.width = 2}, "\0\3abc\0\0\0"sv, {"abc", ""}, {}, 1},
              {"2 little", {.width = 2, .order = std::endian::little}, "\3\0abc\1\0"sv, {"abc"}, {}, 2},
              {"3 big", {.width = 3}, "\0\0\2ab"sv, {"ab"}, {}, 0},
              {"3 little", {.width = 3, .order = std::endian::little}, "\2\0\0ab"sv, {"ab"}, {}, 0},
              {"4 big", {}, "\0\0\0\2ab\0\0\0\5abcd"sv, {"ab"}, {}, 8},
              {"4 little", {.order = std::endian::little}, "\2\0\0\0ab"sv, {"ab"}, {}, 0},
              {"8 big", {.width = 8}, "\0\0\0\0\0\0\0\1a"sv, {"a"}, {}, 0},
              {"8 little", {.width = 8, .order = std::endian::little}, "\1\0\0\0\0\0\0\0a"sv, {"a"}, {}, 0}});
}

TEST_CASE("the number may count the whole frame, be adjusted, and stand behind other bytes") {
  const length_prefix_format frame{.width = 2, .counts = length_counts::frame};
  const length_prefix_format tagged{.width = 2, .offset = 1, .view = frame_view::frame};
  check_rows({{"frame", frame, "\0\5abc\0\2"sv, {"abc", ""}, {}, 0},
              {"frame smaller than its header", frame, "\0\1"sv, {}, errc::malformed_message, 2},
              {"tag", tagged, "T\0\2abU\0\0"sv, {"T\0\2ab"s, "U\0\0"s}, {}, 0},
              {"tag counted", {.width = 2, .counts = length_counts::frame, .offset = 1}, "T\0\5ab"sv, {"ab"}, {}, 0},
              {"checksum left out", {.width = 1, .adjust = 2}, "\1aCC\0CC"sv, {"aCC", "CC"}, {}, 0},
              {"one too high", {.width = 1, .adjust = -1}, "\2a\1"sv, {"a", ""}, {}, 0},
              {"one too high and zero", {.width = 1, .adjust = -1}, "\0"sv, {}, errc::malformed_message, 1}});
}

TEST_CASE("a payload above the limit is refused when its length is complete, and is never allocated") {
  const auto too_long = make_error_code(errc::message_too_long);
  check_rows({{"at the limit", {.width = 1, .max_size = 2}, "\2ab"sv, {"ab"}, {}, 0},
              {"above", {.width = 1, .max_size = 2}, "\2ab\3"sv, {"ab"}, too_long, 1},
              {"default limit", {}, "\0\x10\0\1"sv, {}, too_long, 4},
              {"largest of 4", {}, "\xff\xff\xff\xff"sv, {}, too_long, 4},
              {"largest of 8", {.width = 8}, "\xff\xff\xff\xff\xff\xff\xff\xff"sv, {}, too_long, 8},
              {"overflow by adjusting", {.width = 8, .adjust = 2}, "\xff\xff\xff\xff\xff\xff\xff\xff"sv, {}, too_long, 8}});
  length_prefix_decoder unlimited({.width = 8, .max_size = ~std::size_t{0}});
  CHECK(unlimited.decode(as_bytes("\xff\xff\xff\xff\xff\xff\xff\x00"sv)).wanted == 0xffffffffffffff08);
  CHECK(unlimited.decode(as_bytes("\xff\xff\xff\xff\xff\xff\xff\xff"sv)).error == too_long);
}

TEST_CASE("need_more says how many bytes bring the next step") {
  length_prefix_decoder decoder({.width = 2, .offset = 1});
  CHECK(decoder.decode(as_bytes("T")).wanted == 3);
  CHECK(decoder.decode(as_bytes("T\1\0"sv)).wanted == 259);
}

TEST_CASE("a format that cannot be is refused with what would be right") {
  CHECK_THROWS_WITH_AS(length_prefix_decoder({.width = 5}), "length_prefix_format: width must be 1, 2, 3, 4 or 8, not 5",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(length_prefix_encoder({.offset = 65537}), "length_prefix_format: offset must be at most 65536, not 65537",
                       std::invalid_argument);
}

TEST_CASE("the encoder writes the field that the decoder reads") {
  CHECK(written({}, 258) == "\0\0\1\2"s);
  CHECK(written({.order = std::endian::little}, 258) == "\2\1\0\0"s);
  CHECK(written({.width = 3}, 0x10203) == "\1\2\3"s);
  CHECK(written({.width = 8}, 7) == "\0\0\0\0\0\0\0\7"s);
  CHECK(written({.width = 2, .counts = length_counts::frame, .offset = 1}, 10) == "\0\15"s);
  CHECK(written({.width = 1, .adjust = -1}, 0) == "\1"s);
}

TEST_CASE("the encoder refuses what it cannot announce") {
  std::array<std::byte, 8> field{};
  CHECK(length_prefix_encoder({.width = 1}).write(255, field) == std::error_code());
  CHECK(length_prefix_encoder({.width = 1}).write(256, field) == errc::message_too_long);
  CHECK(length_prefix_encoder({.max_size = 10}).write(11, field) == errc::message_too_long);
  CHECK(length_prefix_encoder({.width = 1, .adjust = 2}).write(1, field) == errc::malformed_message);
  CHECK(length_prefix_encoder().write(1, mutable_bytes(field).first(3)) == errc::bad_buffer);
}
