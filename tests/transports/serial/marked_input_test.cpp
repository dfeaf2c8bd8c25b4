#include <sluice/serial/marked_input.hpp>

#include <sluice/testing/verify_decoder.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "marked_messages.hpp"

using namespace sluice;
using namespace sluice::serial;
using namespace std::string_view_literals;
using kind = marked_input_decoder::kind;
using messages = std::vector<std::string>;

namespace {

struct stream_row {
  std::string_view stream;
  messages expected;
};

void check_rows(const marked_messages& decoder, const std::vector<stream_row>& rows) {
  for (const stream_row& row : rows) {
    CAPTURE(testing::quoted(row.stream));
    const auto report = testing::verify_decoder(decoder, row.stream);
    CHECK(report.failure == "");
    CHECK(report.messages == row.expected);
    CHECK(report.left_over == 0);
  }
}

marked_input_options all(error_policy policy) { return {policy, policy, policy, policy, std::byte{'#'}}; }

}  // namespace

TEST_CASE("Z8 marks are told in their places, wherever they are cut") {
  check_rows(marked_messages(), {{"", {}},
                                 {"ab", {"61", "62"}},
                                 {"a\xff\xff"
                                  "b"sv,
                                  {"61", "ff", "62"}},
                                 {"\xff\xff\xff\xff"sv, {"ff", "ff"}},
                                 {"a\xff\0\0b"sv, {"61", "break", "62"}},
                                 {"a\xff\0Ab"sv, {"61", "damaged 41", "62"}},
                                 {"\xff\0\xff\xff\0\0"sv, {"damaged ff", "break"}},
                                 {"\xff\xff\xff\0x\xff\xff"sv, {"ff", "damaged 78", "ff"}},
                                 {"\xff\0\0\0\xff\0\0"sv, {"break", "00", "break"}},
                                 {"\0\0a"sv, {"00", "00", "61"}}});
}

TEST_CASE("Z8 a mark that is not complete yet is nothing yet") {
  check_rows(marked_messages(), {{"a\xff"sv, {"61"}}, {"a\xff\0"sv, {"61"}}, {"\xff\xff\xff"sv, {"ff"}}});
}

TEST_CASE("Z8 an ff that is no mark is data, with the byte behind it, and counted") {
  check_rows(marked_messages(), {{"a\xff"
                                  "bc"sv,
                                  {"61", "stray 62", "63"}}});
  marked_input_decoder decoder;
  CHECK(decoder.next(as_bytes("\xff"sv)).what == kind::nothing);
  CHECK(as_text(decoder.next(as_bytes("bc"sv)).data) ==
        "\xff"
        "b");
  CHECK(decoder.counters().stray == 1);
}

TEST_CASE("Z8 every error has a policy of its own") {
  const auto stream =
      "1\xff\0a2\xff\0\0"
      "3"sv;
  check_rows(marked_messages(all(error_policy::deliver)), {{stream, {"31", "61", "32", "00", "33"}}});
  check_rows(marked_messages(all(error_policy::drop)), {{stream, {"31", "32", "33"}}});
  check_rows(marked_messages(all(error_policy::replace)), {{stream, {"31", "23", "32", "23", "33"}}});
  check_rows(marked_messages(all(error_policy::event)), {{stream, {"31", "damaged 61", "32", "break", "33"}}});
  const marked_input_options each{error_policy::drop, error_policy::deliver, error_policy::replace, error_policy::event, std::byte{'#'}};
  check_rows(marked_messages(each, line_error::parity), {{stream, {"31", "32", "break", "33"}}});
  check_rows(marked_messages(each, line_error::framing), {{stream, {"31", "61", "32", "break", "33"}}});
  check_rows(marked_messages(each, line_error::unknown), {{stream, {"31", "23", "32", "break", "33"}}});
}

TEST_CASE("Z8 what a mark stands for is what the driver's counters say") {
  const auto stream = "\xff\0a\xff\0\0"sv;
  check_rows(marked_messages({}, line_error::parity), {{stream, {"parity 61", "break"}}});
  check_rows(marked_messages({}, line_error::framing), {{stream, {"framing 61", "break"}}});
  check_rows(marked_messages({}, line_error::line_break), {{stream, {"damaged 61", "break"}}});
}

TEST_CASE("Z8 errors are counted, also those whose bytes are dropped") {
  marked_input_decoder decoder(all(error_policy::drop));
  const auto feed = [&decoder](std::string_view text) { CHECK(decoder.next(as_bytes(text)).consumed == text.size()); };
  decoder.attribute(line_error::parity);
  feed("\xff\0a\xff\0b"sv);
  decoder.attribute(line_error::framing);
  feed("\xff\0c"sv);
  decoder.attribute(line_error::unknown);
  feed("\xff\0d\xff\0\0"sv);
  CHECK(decoder.counters() == marked_input_counters{.parity = 2, .framing = 1, .unknown = 1, .breaks = 1, .stray = 0});
}

TEST_CASE("a run of data is a view of the input, up to and with a doubled ff") {
  marked_input_decoder decoder;
  const auto input = as_bytes(
      "abc\xff\xff"
      "de"sv);
  const auto first = decoder.next(input);
  CHECK(first.what == kind::data);
  CHECK(first.data.data() == input.data());
  CHECK(as_text(first.data) == "abc\xff");
  CHECK(first.consumed == 5);
  const auto second = decoder.next(input.subspan(5));
  CHECK(second.data.data() == input.data() + 5);
  CHECK(as_text(second.data) == "de");
}

TEST_CASE("an empty input is nothing") {
  marked_input_decoder decoder;
  CHECK(decoder.next({}).what == kind::nothing);
  CHECK(decoder.next({}).consumed == 0);
}

TEST_CASE("a stream that begins anew does not complete the mark of the last one") {
  for (const auto cut : {"\xff"sv, "\xff\0"sv}) {
    marked_input_decoder decoder;
    CHECK(decoder.next(as_bytes(cut)).what == kind::nothing);
    decoder.restart();
    CHECK(as_text(decoder.next(as_bytes("a"sv)).data) == "a");
  }
}

TEST_CASE("policies may change in the middle of a mark") {
  marked_input_decoder decoder(all(error_policy::drop));
  CHECK(decoder.next(as_bytes("\xff\0"sv)).what == kind::nothing);
  decoder.set_options(all(error_policy::event));
  CHECK(decoder.options() == all(error_policy::event));
  CHECK(decoder.next(as_bytes("a"sv)).what == kind::event);
}
