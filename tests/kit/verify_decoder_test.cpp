#include <sluice/testing/verify_decoder.hpp>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::testing;
using framing::decode_result;

namespace {

using result = decode_result<const_bytes>;

// Messages end in ';'. Each fault breaks one rule of the concept.
enum class fault {
  none,
  keeps_a_pointer,
  ends_at_the_input,
  needs_one_byte_more,
  consumes_nothing,
  consumes_too_much,
  wants_too_much,
  forgets_its_error,
  counts_calls,
  error_without_code
};

class faulty_decoder {
 public:
  using message_type = const_bytes;

  explicit faulty_decoder(fault what) : fault_(what) {}

  result decode(const_bytes input) {
    ++calls_;
    const auto text = as_text(input);
    const auto end = text.find(';');
    if (text.starts_with('!')) return answer_error();
    if (end == std::string_view::npos) return answer_more(input);
    if (fault_ == fault::needs_one_byte_more && text.size() == end + 1) return result::more();
    if (fault_ == fault::consumes_nothing) return result::complete(input.first(end), 0);
    if (fault_ == fault::consumes_too_much) return result::complete(input.first(end), input.size() + 1);
    if (fault_ == fault::keeps_a_pointer && first_ != nullptr && first_ != input.data()) return result::failed(errc::malformed_message);
    first_ = nullptr;
    return result::complete(input.first(end), end + 1);
  }

 private:
  result answer_error() {
    if (fault_ == fault::error_without_code) return result::failed({});
    if (fault_ == fault::forgets_its_error && calls_ > 1) return result::failed(errc::closed);
    return result::failed(errc::malformed_message);
  }

  result answer_more(const_bytes input) {
    first_ = input.data();
    if (fault_ == fault::ends_at_the_input && input.size() > 1) return result::complete(input, input.size());
    if (fault_ == fault::wants_too_much) return result::more(0, input.size() + 100);
    if (fault_ == fault::counts_calls && calls_ % 2 == 0) return result::complete(input, input.size());
    return result::more();
  }

  fault fault_;
  int calls_ = 0;
  const std::byte* first_ = nullptr;
};

std::string failure_of(fault what, std::string_view stream) { return verify_decoder(faulty_decoder(what), stream).failure; }

}  // namespace

TEST_CASE("verify_decoder reports the messages, the error and what was left over of a sound decoder") {
  const auto report = verify_decoder(faulty_decoder(fault::none), "a;bc;;d");
  CHECK(report.failure == "");
  CHECK(report.messages == std::vector<std::string>{"a", "bc", ""});
  CHECK(report.left_over == 1);
  CHECK(!report.error);
  const auto ended = verify_decoder(faulty_decoder(fault::none), "a;!");
  CHECK(ended.failure == "");
  CHECK(ended.messages == std::vector<std::string>{"a"});
  CHECK(ended.error == errc::malformed_message);
}

TEST_CASE("verify_decoder names the cut at which the messages differ") {
  CHECK(failure_of(fault::ends_at_the_input, "abc;") ==
        "cut at 2: gave 2 messages [\"ab\" \"c\" ], no error, 0 left over instead of 1 messages [\"abc\" ], no error, 0 left over");
}

TEST_CASE("verify_decoder finds a decoder that keeps a pointer into an earlier input") {
  CHECK(failure_of(fault::keeps_a_pointer, "ab;").find("malformed_message") == std::string::npos);
  CHECK(failure_of(fault::keeps_a_pointer, "ab;") != "");
}

TEST_CASE("verify_decoder finds a message that comes later than its last byte") {
  CHECK(failure_of(fault::needs_one_byte_more, "a;b;") == "cut at 2: the decoder produced a message of 2 bytes only after need_more for 2");
}

TEST_CASE("verify_decoder finds an answer that consumes nothing or more than there is") {
  CHECK(failure_of(fault::consumes_nothing, "a;") == "uncut: the decoder produced a message that consumed nothing");
  CHECK(failure_of(fault::consumes_too_much, "a;") == "uncut: the decoder consumed 3 of 2 bytes");
}

TEST_CASE("verify_decoder finds a hint that asks for more than is needed") {
  CHECK(failure_of(fault::wants_too_much, "ab;") == "cut at 1: the decoder wanted 101 bytes and got further with 3");
}

TEST_CASE("verify_decoder finds errors that change or have no code, and answers that depend on the number of calls") {
  CHECK(failure_of(fault::forgets_its_error, "!") == "uncut: the decoder did not answer the same error again");
  CHECK(failure_of(fault::error_without_code, "!") == "uncut: the decoder reported an error without a code");
  CHECK(failure_of(fault::counts_calls, "a") == "uncut: the decoder changed its mind about the same bytes after need_more");
}

TEST_CASE("quoted makes every two different texts look different") {
  CHECK(quoted("a\"\\\r\n\x7f") == "\"a\\\"\\\\\\x0d\\x0a\\x7f\"");
  CHECK(quoted(std::string_view("\0", 1)) == "\"\\x00\"");
}

TEST_CASE("a long stream is cut at its ends, at a stride, and dripped") {
  std::string stream(20'000, 'x');
  stream.push_back(';');
  const auto report = verify_decoder(faulty_decoder(fault::none), stream);
  CHECK(report.failure == "");
  REQUIRE(report.messages.size() == 1);
  CHECK(report.messages[0].size() == 20'000);
}
