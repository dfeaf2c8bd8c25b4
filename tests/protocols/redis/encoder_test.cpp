#include <sluice/redis/encoder.hpp>

#include <sluice/redis/reply_decoder.hpp>
#include <sluice/redis/request_decoder.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::redis;
using namespace std::string_view_literals;

namespace {

// Has the call of a transport that the encoder uses.
struct gathering {
  std::string bytes;
  int calls = 0;

  void writev(std::span<const const_bytes> chunks) {
    ++calls;
    for (const auto chunk : chunks) bytes.append(as_text(chunk));
  }
};

template <class Write>
std::string written(Write write) {
  std::string text;
  gathering gathered;
  write(text);
  write(gathered);
  CHECK(text == gathered.bytes);
  return text;
}

}  // namespace

TEST_CASE("each kind of reply is written as RESP2 has it, to text and to a gathering sink alike") {
  CHECK(written([](auto& out) { write_simple(out, "OK"); }) == "+OK\r\n");
  CHECK(written([](auto& out) { write_error(out, "ERR syntax error"); }) == "-ERR syntax error\r\n");
  CHECK(written([](auto& out) { write_integer(out, 0); }) == ":0\r\n");
  CHECK(written([](auto& out) { write_integer(out, INT64_MIN); }) == ":-9223372036854775808\r\n");
  CHECK(written([](auto& out) { write_integer(out, INT64_MAX); }) == ":9223372036854775807\r\n");
  CHECK(written([](auto& out) { write_integer(out, std::size_t{7}); }) == ":7\r\n");
  CHECK(written([](auto& out) { write_integer(out, UINT64_MAX); }) == ":9223372036854775807\r\n");
  CHECK(written([](auto& out) { write_bulk(out, "a\r\n\0b"sv); }) == "$5\r\na\r\n\0b\r\n"sv);
  CHECK(written([](auto& out) { write_bulk(out, ""); }) == "$0\r\n\r\n");
  CHECK(written([](auto& out) { write_null(out); }) == "$-1\r\n");
  CHECK(written([](auto& out) { write_null_array(out); }) == "*-1\r\n");
  CHECK(written([](auto& out) { write_array(out, 12); }) == "*12\r\n");
}

TEST_CASE("no text can end a simple string or an error early") {
  CHECK(written([](auto& out) { write_simple(out, "a\r\nb"); }) == "+a  b\r\n");
  CHECK(written([](auto& out) { write_error(out, "\nERR x\r"); }) == "- ERR x \r\n");
  CHECK(written([](auto& out) { write_simple(out, "\r\n"); }) == "+  \r\n");
}

TEST_CASE("an error in parts is one line") {
  CHECK(written([](auto& out) { write_error(out, {"ERR bad option ", "a\r\nb", "'"}); }) == "-ERR bad option a  b'\r\n");
  CHECK(written([](auto& out) { write_error(out, {}); }) == "-\r\n");
}

TEST_CASE("a list is an array of bulk strings") {
  CHECK(written([](auto& out) { write_list(out, {"a", ""}); }) == "*2\r\n$1\r\na\r\n$0\r\n\r\n");
  CHECK(written([](auto& out) { write_list(out, {}); }) == "*0\r\n");
}

TEST_CASE("a value is one call to a gathering sink") {
  gathering out;
  write_simple(out, "OK");
  write_integer(out, 5);
  write_bulk(out, "value");
  write_null(out);
  write_array(out, 2);
  CHECK(out.calls == 5);
}

TEST_CASE("a written request decodes to its arguments") {
  const auto bytes = written([](auto& out) { write_request(out, {"SET", "k\r\n", ""}); });
  CHECK(bytes == "*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
  request_decoder decoder;
  const auto answer = decoder.decode(as_bytes(bytes));
  CHECK(std::vector(answer.message.begin(), answer.message.end()) == std::vector{"SET"sv, "k\r\n"sv, ""sv});
}

TEST_CASE("a written reply decodes to its values") {
  const auto bytes = written([](auto& out) {
    write_array(out, 3);
    write_bulk(out, "k");
    write_null(out);
    write_integer(out, -7);
  });
  reply_decoder decoder;
  const auto answer = decoder.decode(as_bytes(bytes));
  const std::vector<reply_value> expected = {
      {reply_type::array, "", 3}, {reply_type::bulk, "k", 0}, {reply_type::null, "", 0}, {reply_type::integer, "", -7}};
  CHECK(std::vector(answer.message.begin(), answer.message.end()) == expected);
}
