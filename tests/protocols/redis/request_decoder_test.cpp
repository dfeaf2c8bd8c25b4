#include <sluice/redis/request_decoder.hpp>

#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::string_literals;
using namespace std::string_view_literals;
using redis::request_decoder;
using testing::verify_decoder;
using requests = std::vector<std::string>;

namespace {

struct stream_row {
  std::string_view stream;
  requests expected;
  std::size_t left_over = 0;
};

void check_rows(const std::vector<stream_row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(row.stream);
    const auto report = verify_decoder(request_decoder(), row.stream);
    CHECK(report.failure == "");
    CHECK(report.messages == row.expected);
    CHECK(!report.error);
    CHECK(report.left_over == row.left_over);
  }
}

struct bad_row {
  std::string_view stream;
  redis::errc error;
  std::string_view text;
  requests before{};
};

// Every split of a long stream, each copied, is more than a test may take under a sanitizer; of a limit, pieces tell as much.
void check_in_pieces(const bad_row& row, redis::request_limits limits) {
  constexpr std::size_t piece = 997;
  testing::decoder_run<request_decoder> run{request_decoder(limits)};
  for (auto rest = as_bytes(row.stream); !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
    run.feed(rest.first(std::min(piece, rest.size())));
  CHECK(run.failure() == "");
  CHECK(run.transcript().messages == row.before);
  CHECK(run.transcript().error == row.error);
}

void check_at_every_split(const bad_row& row, redis::request_limits limits) {
  const auto report = verify_decoder(request_decoder(limits), row.stream);
  CHECK(report.failure == "");
  CHECK(report.messages == row.before);
  CHECK(report.error == row.error);
}

void check_bad_rows(const std::vector<bad_row>& rows, redis::request_limits limits = {}) {
  for (const auto& row : rows) {
    CAPTURE(row.stream.substr(0, 100));
    row.stream.size() > 4096 ? check_in_pieces(row, limits) : check_at_every_split(row, limits);
    request_decoder decoder(limits);
    auto rest = as_bytes(row.stream);
    auto answer = decoder.decode(rest);
    while (answer.status == framing::decode_status::message) answer = decoder.decode(rest = rest.subspan(answer.consumed));
    CHECK(decoder.error_text() == row.text);
  }
}

}  // namespace

TEST_CASE("arrays of bulk strings are requests, pipelined or not, with any bytes in them") {
  check_rows({{"*1\r\n$4\r\nPING\r\n", {R"("PING")"}},
              {"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", {R"("ECHO" "")"}},
              {"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", {R"("a")", R"("b")"}},
              {"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$3\r\n\0*\xff\r\n"sv, {R"("SET" "\x0d\x0a" "\x00*\xff")"}},
              {"*2\r\n$3\r\nGET\r\n$3\r\nab", {}, 19}});
}

TEST_CASE("empty requests are skipped as Redis skips them") {
  check_rows({{"*0\r\n*-1\r\n*-7\r\n\r\n\n  \r\n", {}},
              {"*0\r\n*1\r\n$4\r\nPING\r\n", {R"("PING")"}},
              {"\r\nPING\r\n\r\n", {R"("PING")"}},
              {"*0\r\n*1\r", {}, 3}});
}

TEST_CASE("an inline command is split at blanks") {
  check_rows({{"PING\r\n", {R"("PING")"}},
              {"PING\n", {R"("PING")"}},
              {"  set\tkey   value \r\n", {R"("set" "key" "value")"}},
              {"a\vb \v\fc\n", {R"("a\x0bb" "c")"}},
              {"a\rb\r\n", {R"("a" "b")"}},
              {"nul\0in word\n"sv, {R"("nul\x00in" "word")"}},
              {"PING\n*1\r\n$4\r\nPING\r\nPING\n", {R"("PING")", R"("PING")", R"("PING")"}},
              {"$4\r\n", {R"("$4")"}},
              {"PING", {}, 4}});
}

TEST_CASE("quotes in an inline command follow the rules of Redis") {
  check_rows({{R"(set "a b" 'c d')"
               "\n",
               {R"("set" "a b" "c d")"}},
              {R"("\n\r\t\b\a")"
               "\n",
               {R"("\x0a\x0d\x09\x08\x07")"}},
              {R"("\x00\xfF\\\"\z")"
               "\n",
               {R"("\x00\xff\\\"z")"}},
              {R"("\x4" "\xg0" "\x")"
               "\n",
               {R"("x4" "xg0" "x")"}},
              {R"('\n' '\'' '"')"
               "\n",
               {R"("\\n" "'" "\"")"}},
              {R"(pre"fix" b'c')"
               "\n",
               {R"("prefix" "bc")"}},
              {R"("" '')"
               "\n",
               {R"("" "")"}},
              {R"(back\slash\n)"
               "\n",
               {R"("back\\slash\\n")"}},
              {"\"a\"\vb\r\n", {R"("a" "b")"}}});
}

TEST_CASE("unbalanced quotes end the stream") {
  const auto text = "Protocol error: unbalanced quotes in request"sv;
  for (const auto stream : {"\"a\n"sv, "'a\r\n"sv, "\"a\"b\n"sv, "'a'b\n"sv, "\"a\\\"\n"sv, "\"\\\n"sv, "x 'a\\'\n"sv, "\"a\"'b'\n"sv})
    check_bad_rows({{stream, redis::errc::unbalanced_quotes, text}});
}

TEST_CASE("lengths that are no canonical number, negative or too large are refused in the words of Redis") {
  const auto mbulk = redis::errc::bad_multibulk_length;
  const auto bulk = redis::errc::bad_bulk_length;
  const auto mbulk_text = "Protocol error: invalid multibulk length"sv;
  const auto bulk_text = "Protocol error: invalid bulk length"sv;
  check_bad_rows({{"*\r\n", mbulk, mbulk_text},
                  {"*+1\r\n", mbulk, mbulk_text},
                  {"* 1\r\n", mbulk, mbulk_text},
                  {"*01\r\n", mbulk, mbulk_text},
                  {"*-0\r\n", mbulk, mbulk_text},
                  {"*1x\r\n", mbulk, mbulk_text},
                  {"*1048577\r\n", mbulk, mbulk_text},
                  {"*9223372036854775808\r\n", mbulk, mbulk_text},
                  {"*99999999999999999999999999\r\n", mbulk, mbulk_text},
                  {"*1\r\n$\r\n", bulk, bulk_text},
                  {"*1\r\n$-1\r\n", bulk, bulk_text},
                  {"*1\r\n$+1\r\n", bulk, bulk_text},
                  {"*1\r\n$01\r\n", bulk, bulk_text},
                  {"*1\r\n$ 1\r\n", bulk, bulk_text},
                  {"*1\r\n$536870913\r\n", bulk, bulk_text},
                  {"*1\r\n$18446744073709551616\r\n", bulk, bulk_text},
                  {"PING\r\n*2\r\n$1\r\na\r\n$x\r\n", bulk, bulk_text, {R"("PING")"}}});
}

TEST_CASE("an argument that is no bulk string is refused, naming what came") {
  check_bad_rows({{"*1\r\n:1\r\n", redis::errc::expected_bulk, "Protocol error: expected '$', got ':'"},
                  {"*2\r\n$1\r\na\r\nfoo\r\n", redis::errc::expected_bulk, "Protocol error: expected '$', got 'f'"},
                  {"*1\r\n\r\n", redis::errc::expected_bulk, "Protocol error: expected '$', got '\r'"}});
}

TEST_CASE("lines of more than 64 KiB are refused, whether their end has come or not") {
  const std::string at_limit(64 * 1024, 'x');
  const std::string over(64 * 1024 + 1, 'x');
  request_decoder decoder;
  CHECK(decoder.decode(as_bytes(at_limit)).status == framing::decode_status::need_more);
  CHECK(decoder.decode(as_bytes(at_limit + "\n")).status == framing::decode_status::message);
  const auto inline_text = "Protocol error: too big inline request"sv;
  const auto mbulk_text = "Protocol error: too big mbulk count string"sv;
  const auto bulk_text = "Protocol error: too big bulk count string"sv;
  check_bad_rows({{over, redis::errc::inline_too_big, inline_text},
                  {over + "\r\n", redis::errc::inline_too_big, inline_text},
                  {"*" + at_limit, redis::errc::multibulk_count_too_big, mbulk_text},
                  {"*" + at_limit + "\r\n", redis::errc::multibulk_count_too_big, mbulk_text},
                  {"*1\r\n" + over, redis::errc::bulk_count_too_big, bulk_text},
                  {"*1\r\n$" + at_limit + "\r\n", redis::errc::bulk_count_too_big, bulk_text}});
}

TEST_CASE("the limits can be set, and a whole request is bounded") {
  const redis::request_limits limits{.max_bulk = 5, .max_arguments = 3, .max_request = 40};
  const auto ok = verify_decoder(request_decoder(limits), "*3\r\n$5\r\naaaaa\r\n$5\r\nbbbbb\r\n$5\r\nccccc\r\n");
  CHECK(ok.failure == "");
  CHECK(ok.messages.size() == 1);
  check_bad_rows({{"*4\r\n", redis::errc::bad_multibulk_length, "Protocol error: invalid multibulk length"},
                  {"*1\r\n$6\r\n", redis::errc::bad_bulk_length, "Protocol error: invalid bulk length"}},
                 limits);
  const redis::request_limits small{.max_bulk = 5, .max_arguments = 3, .max_request = 36};
  check_bad_rows({{"*3\r\n$5\r\naaaaa\r\n$5\r\nbbbbb\r\n$5\r\nccccc\r\n", redis::errc::request_too_big, "Protocol error: too big request"}},
                 small);
}

TEST_CASE("a bulk that has begun says how many bytes bring the next step") {
  request_decoder decoder;
  CHECK(decoder.decode(as_bytes("*2\r\n$3\r\nGET\r\n$1000\r\nab")).wanted == 1022);
}

TEST_CASE("where a header that came in pieces was looked for is forgotten with its request") {
  request_decoder decoder;
  CHECK(decoder.decode(as_bytes("*1"sv)).status == framing::decode_status::need_more);
  CHECK(decoder.decode(as_bytes("*1\r\n$4\r\nPING\r\n"sv)).status == framing::decode_status::message);
  CHECK(decoder.decode(as_bytes("a\nb\n"sv)).consumed == 2);
}

TEST_CASE("arguments of an array view the input") {
  const auto stream = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"sv;
  request_decoder decoder;
  const auto answer = decoder.decode(as_bytes(stream));
  REQUIRE(answer.message.size() == 2);
  CHECK(answer.message[0].data() == stream.data() + 8);
  CHECK(answer.consumed == stream.size());
}

TEST_CASE("requests cost no allocation in the steady state, and the storage of an exceptional one is given back") {
  if (!testing::allocation_counter::available()) return;
  const auto ordinary = as_bytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nPING x\r\n");
  std::string large = "*100000\r\n";
  for (int i = 0; i < 100'000; ++i) large.append("$1\r\na\r\n");
  request_decoder decoder;
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
  CHECK(after_large.counts().frees >= 1);
  const testing::allocation_counter again;
  decode_all(ordinary);
  CHECK(again.counts() == testing::allocation_counts());
}

TEST_CASE("a megabyte of pipelined requests and a bulk that drips are cut the same way") {
  std::string pipelined;
  while (pipelined.size() < 1024 * 1024) pipelined.append("*3\r\n$3\r\nSET\r\n$5\r\nhello\r\n$6\r\nworld!\r\n");
  request_decoder decoder;
  std::size_t count = 0;
  for (auto rest = as_bytes(pipelined); !rest.empty(); ++count) {
    const auto answer = decoder.decode(rest);
    REQUIRE(answer.status == framing::decode_status::message);
    rest = rest.subspan(answer.consumed);
  }
  CHECK(count == (1024 * 1024 + 35) / 36);
  const std::string dripping = "*2\r\n$4\r\nECHO\r\n$20000\r\n" + std::string(20000, 'z') + "\r\n";
  CHECK(verify_decoder(request_decoder(), dripping).failure == "");
}

TEST_CASE("a request of many arguments that drips byte by byte takes linear time") {
  // Starting over for each byte would parse more than a billion arguments.
  std::string stream = "*20000\r\n";
  for (int i = 0; i < 20000; ++i) stream.append("$1\r\na\r\n");
  request_decoder decoder;
  for (std::size_t size = 1; size < stream.size(); ++size)
    REQUIRE(decoder.decode(as_bytes(stream).first(size)).status == framing::decode_status::need_more);
  CHECK(decoder.decode(as_bytes(stream)).message.size() == 20000);
}
