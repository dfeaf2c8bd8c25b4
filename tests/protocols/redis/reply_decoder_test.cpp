#include <sluice/redis/reply_decoder.hpp>

#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::string_view_literals;
using redis::reply_decoder;
using redis::reply_type;
using redis::reply_value;
using replies = std::vector<std::string>;

namespace {

std::string text_of(const reply_value& value) {
  switch (value.type) {
    case reply_type::simple: return std::string(1, '+').append(testing::quoted(value.text));
    case reply_type::error: return std::string(1, '-').append(testing::quoted(value.text));
    case reply_type::integer: return std::string(1, ':').append(std::to_string(value.integer));
    case reply_type::bulk: return std::string(1, '$').append(testing::quoted(value.text));
    case reply_type::null: return "null";
    case reply_type::array: return std::string(1, '*').append(std::to_string(value.integer));
  }
  return "?";
}

struct renderer {
  std::string operator()(std::span<const reply_value> reply) const {
    std::string out;
    for (const auto& value : reply) out.append(out.empty() ? "" : " ").append(text_of(value));
    return out;
  }
};

testing::decoder_report verify(std::string_view stream, redis::reply_limits limits = {}) {
  return testing::verify_decoder(reply_decoder(limits), stream, renderer());
}

struct stream_row {
  std::string_view stream;
  replies expected;
  std::size_t left_over = 0;
};

void check_rows(const std::vector<stream_row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.stream);
    const auto report = verify(row.stream);
    CHECK(report.failure == "");
    CHECK(report.messages == row.expected);
    CHECK(!report.error);
    CHECK(report.left_over == row.left_over);
  }
}

void check_error(std::string_view stream, redis::errc error, redis::reply_limits limits = {}) {
  CAPTURE(stream.substr(0, 100));
  const auto report = verify(stream, limits);
  CHECK(report.failure == "");
  CHECK(report.error == error);
}

}  // namespace

TEST_CASE("a reply that is no array is one value") {
  check_rows({{"+OK\r\n+\r\n", {R"(+"OK")", R"(+"")"}},
              {"-ERR unknown command\r\n", {R"(-"ERR unknown command")"}},
              {":0\r\n:-42\r\n:9223372036854775807\r\n", {":0", ":-42", ":9223372036854775807"}},
              {"$3\r\na\r\n\r\n$0\r\n\r\n$2\r\n\0\xff\r\n"sv, {R"($"a\x0d\x0a")", R"($"")", R"($"\x00\xff")"}},
              {"$-1\r\n*-1\r\n", {"null", "null"}},
              {"+O", {}, 2},
              {"$3\r\nab", {}, 6}});
}

TEST_CASE("arrays are flat lists, an array before its elements") {
  check_rows({{"*0\r\n", {"*0"}},
              {"*2\r\n:1\r\n$1\r\na\r\n", {R"(*2 :1 $"a")"}},
              {"*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n*0\r\n+x\r\n", {R"(*2 *2 :1 :2 *1 *0)", R"(+"x")"}},
              {"*3\r\n*-1\r\n$-1\r\n-ERR e\r\n", {R"(*3 null null -"ERR e")"}},
              {"*2\r\n:1\r\n", {}, 8}});
}

TEST_CASE("bytes that are no reply are refused with what is wrong") {
  check_error("OK\r\n", redis::errc::bad_reply_type);
  check_error("*1\r\n\r\n", redis::errc::bad_reply_type);
  check_error(":\r\n", redis::errc::bad_integer);
  check_error(":+1\r\n", redis::errc::bad_integer);
  check_error(":01\r\n", redis::errc::bad_integer);
  check_error(":9223372036854775808\r\n", redis::errc::bad_integer);
  check_error("$-2\r\n", redis::errc::bad_bulk_length);
  check_error("$x\r\n", redis::errc::bad_bulk_length);
  check_error("$536870913\r\n", redis::errc::bad_bulk_length);
  check_error("*-2\r\n", redis::errc::bad_array_length);
  check_error("*\r\n", redis::errc::bad_array_length);
  check_error("+a\rb\r\n", redis::errc::missing_line_end);
  check_error("+a\nb\r\n", redis::errc::missing_line_end);
  check_error("$1\r\nabc\r\n", redis::errc::missing_line_end);
  check_error("$1\r\na\rb", redis::errc::missing_line_end);
}

TEST_CASE("lines, values, depth and bytes of a reply are bounded") {
  check_error("+abcd\r\n", redis::errc::line_too_long, {.max_line = 4});
  CHECK(verify("+abc\r\n", {.max_line = 4}).messages == replies{R"(+"abc")"});
  check_error("*3\r\n:1\r\n:2\r\n:3\r\n", redis::errc::reply_too_big, {.max_values = 3});
  check_error("*4\r\n", redis::errc::reply_too_big, {.max_values = 3});
  check_error("*9223372036854775807\r\n", redis::errc::reply_too_big);
  check_error("*1\r\n*1\r\n*1\r\n", redis::errc::reply_too_deep, {.max_depth = 2});
  CHECK(verify("*1\r\n*1\r\n*0\r\n", {.max_depth = 2}).messages == replies{"*1 *1 *0"});
  check_error("*2\r\n$4\r\naaaa\r\n$4\r\naaaa\r\n", redis::errc::reply_too_big, {.max_reply = 20});
  check_error("*2\r\n:1\r\n:2\r\n", redis::errc::reply_too_big, {.max_reply = 11});
  check_error("$5\r\n", redis::errc::bad_bulk_length, {.max_bulk = 4});
}

TEST_CASE("the default depth is 32 arrays") {
  std::string deep;
  for (int i = 0; i < 32; ++i) deep.append("*1\r\n");
  CHECK(verify(deep + ":1\r\n").messages.size() == 1);
  check_error(deep + "*1\r\n", redis::errc::reply_too_deep);
}

TEST_CASE("texts view the input and the list is reused") {
  const auto stream = "*2\r\n$1\r\na\r\n+b\r\n:1\r\n"sv;
  reply_decoder decoder;
  const auto first = decoder.decode(as_bytes(stream));
  REQUIRE(first.message.size() == 3);
  CHECK(first.message[1].text.data() == stream.data() + 8);
  const auto* storage = first.message.data();
  const auto second = decoder.decode(as_bytes(stream).subspan(first.consumed));
  CHECK(second.message.data() == storage);
  CHECK(second.message.size() == 1);
}

TEST_CASE("a bulk that has begun says how many bytes bring the next step") {
  reply_decoder decoder;
  CHECK(decoder.decode(as_bytes("*2\r\n:1\r\n$100\r\nab")).wanted == 116);
}

TEST_CASE("replies cost no allocation in the steady state, and the storage of an exceptional one is given back") {
  if (!testing::allocation_counter::available()) return;
  const auto ordinary = as_bytes("*3\r\n$3\r\nabc\r\n*1\r\n:1\r\n+OK\r\n+PONG\r\n");
  std::string large = "*100000\r\n";
  for (int i = 0; i < 100'000; ++i) large.append(":1\r\n");
  reply_decoder decoder;
  const auto decode_all = [&](const_bytes stream) {
    while (!stream.empty()) stream = stream.subspan(decoder.decode(stream).consumed);
  };
  decode_all(ordinary);
  const testing::allocation_counter steady;
  for (int i = 0; i < 100; ++i) decode_all(ordinary);
  CHECK(steady.counts().allocations == 0);
  decode_all(as_bytes(large));
  const testing::allocation_counter after_large;
  decode_all(ordinary);
  CHECK(after_large.counts().frees >= 2);
}
