#include <sluice/redis/integer.hpp>

#include <doctest/doctest.h>

using sluice::redis::parse_integer;

TEST_CASE("the canonical decimal form of every number of 64 bits is an integer") {
  CHECK(parse_integer("0") == 0);
  CHECK(parse_integer("7") == 7);
  CHECK(parse_integer("-1") == -1);
  CHECK(parse_integer("1000") == 1000);
  CHECK(parse_integer("9223372036854775807") == INT64_MAX);
  CHECK(parse_integer("-9223372036854775808") == INT64_MIN);
}

TEST_CASE("nothing else is an integer") {
  for (const char* text : {"", "-", "+1", " 1", "1 ", "01", "-01", "-0", "00", "--1", "0x10", "1.0", "1e3", "9223372036854775808",
                           "-9223372036854775809", "99999999999999999999999999", "a", "1a"}) {
    CAPTURE(text);
    CHECK(!parse_integer(text));
  }
  CHECK(!parse_integer(std::string_view("1\0", 2)));
}
