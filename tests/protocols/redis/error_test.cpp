#include <sluice/redis/error.hpp>

#include <sluice/error.hpp>

#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("every enumerator of redis::errc has a message of its own") {
  std::set<std::string> messages;
  const int last = static_cast<int>(redis::errc::reply_too_big);
  for (int value = 1; value <= last; ++value) messages.insert(make_error_code(static_cast<redis::errc>(value)).message());
  CHECK(messages.size() == static_cast<std::size_t>(last));
  CHECK(messages.count("unknown error") == 0);
}

TEST_CASE("what a server tells its client is worded as Redis words it") {
  CHECK(describe(redis::errc::unbalanced_quotes) == "redis:7 Protocol error: unbalanced quotes in request");
}
