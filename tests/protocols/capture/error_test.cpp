#include <sluice/capture/error.hpp>

#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace sluice::capture;

TEST_CASE("each error has a message of its own, and the category is called capture") {
  std::set<std::string> messages;
  const int last = static_cast<int>(errc::connection_lost);
  for (int value = 1; value <= last; ++value) messages.insert(std::error_code(static_cast<errc>(value)).message());
  CHECK(messages.size() == static_cast<std::size_t>(last));
  CHECK(!messages.contains("unknown error"));
  CHECK(std::error_code(errc::bad_block).category().name() == std::string("capture"));
  CHECK(std::error_code(last + 1, capture_category()).message() == "unknown error");
}
