#include <sluice/framing/line.hpp>

#include <sluice/error.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::framing;
using namespace std::string_literals;
using namespace std::string_view_literals;
using testing::verify_decoder;
using lines = std::vector<std::string>;

namespace {

line_decoder with(line_ending ending, std::size_t max_length = 64 * 1024) { return line_decoder({std::move(ending), max_length}); }

struct stream_row {
  std::string_view stream;
  lines messages;
  std::size_t left_over;
};

void check_rows(const line_decoder& decoder, const std::vector<stream_row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.stream);
    const auto report = verify_decoder(decoder, row.stream);
    CHECK(report.failure == "");
    CHECK(report.messages == row.messages);
    CHECK(!report.error);
    CHECK(report.left_over == row.left_over);
  }
}

}  // namespace

TEST_CASE("LF ends a line and one CR before it is taken off") {
  check_rows(line_decoder(), {{"", {}, 0},
                              {"a\n", {"a"}, 0},
                              {"a\r\n", {"a"}, 0},
                              {"a\r\r\n", {"a\r"}, 0},
                              {"\n\r\n\n", {"", "", ""}, 0},
                              {"one\ntwo\r\nthree", {"one", "two"}, 5},
                              {"a\rb\n", {"a\rb"}, 0},
                              {"a\r", {}, 2},
                              {"nul\0inside\n"sv, {"nul\0inside"s}, 0}});
}

TEST_CASE("with strict CR LF, CR and LF alone are bytes of the line") {
  check_rows(with(line_ending::crlf()),
             {{"a\r\n", {"a"}, 0}, {"a\nb\r\n", {"a\nb"}, 0}, {"a\r\r\n\r\n", {"a\r", ""}, 0}, {"a\n", {}, 2}, {"a\rb\r\n", {"a\rb"}, 0}});
}

TEST_CASE("any sequence of bytes can end a line, also one that repeats parts of itself") {
  check_rows(with(line_ending::custom("\0"sv)), {{"a\0b\r\n\0c"sv, {"a", "b\r\n"}, 1}});
  check_rows(with(line_ending::custom("aab")), {{"aaab1aab", {"a", "1"}, 0}, {"aabaaaab", {"", "aa"}, 0}, {"abaaa", {}, 5}});
  check_rows(with(line_ending::custom("--END--")), {{"x--END-y--END--z", {"x--END-y"}, 1}});
}

TEST_CASE("an ending without bytes is refused") { CHECK_THROWS_AS(line_ending::custom(""), std::invalid_argument); }

TEST_CASE("the first byte beyond the limit is message_too_long, however the line is cut") {
  struct limited {
    line_decoder decoder;
    std::string_view stream;
    lines messages;
    bool too_long;
  };
  const limited rows[] = {
      {with(line_ending::lf(), 3), "abc\nabc\r\n", {"abc", "abc"}, false},
      {with(line_ending::lf(), 3), "abc\r", {}, false},
      {with(line_ending::lf(), 3), "abcd", {}, true},
      {with(line_ending::lf(), 3), "abcd\n", {}, true},
      {with(line_ending::lf(), 3), "abc\r\r\n", {}, true},
      {with(line_ending::lf(), 3), "ok\nabc\rx", {"ok"}, true},
      {with(line_ending::lf(), 0), "\n\r\n", {"", ""}, false},
      {with(line_ending::lf(), 0), "\nx", {""}, true},
      {with(line_ending::crlf(), 3), "abc\r\n", {"abc"}, false},
      {with(line_ending::crlf(), 3), "abc\r", {}, false},
      {with(line_ending::crlf(), 3), "abc\n", {}, true},
      {with(line_ending::crlf(), 3), "abc\rd", {}, true},
      {with(line_ending::custom("aab"), 2), "aaaab", {"aa"}, false},
      {with(line_ending::custom("aab"), 2), "aaaa", {}, false},
      {with(line_ending::custom("aab"), 1), "aaaa", {}, true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.stream);
    const auto report = verify_decoder(row.decoder, row.stream);
    CHECK(report.failure == "");
    CHECK(report.messages == row.messages);
    CHECK(report.error == (row.too_long ? make_error_code(errc::message_too_long) : std::error_code()));
  }
}

TEST_CASE("too long is known at the first byte that cannot be part of an ending") {
  auto decoder = with(line_ending::crlf(), 3);
  CHECK(decoder.decode(as_bytes("abc")).status == decode_status::need_more);
  CHECK(decoder.decode(as_bytes("abcd")).error == errc::message_too_long);
}

TEST_CASE("the default limit is 64 KiB, and a message views the input") {
  std::string stream(64 * 1024, 'x');
  stream.append("\r\n");
  line_decoder decoder;
  const auto result = decoder.decode(as_bytes(stream));
  CHECK(result.message.data() == as_bytes(stream).data());
  CHECK(result.message.size() == 64 * 1024);
  const auto report = verify_decoder(line_decoder(), std::string(64 * 1024 + 1, 'x').append("\r\n"));
  CHECK(report.failure == "");
  CHECK(report.error == errc::message_too_long);
}
