#include <sluice/tls/error.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using sluice::tls::errc;

TEST_CASE("every error has a message of its own, in a category named tls") {
  std::set<std::string> seen;
  for (int value = 1; value <= static_cast<int>(errc::bad_option); ++value) {
    const std::error_code code = static_cast<errc>(value);
    CHECK(std::string(code.category().name()) == "tls");
    CHECK(code.message() != "unknown error");
    CHECK(seen.insert(code.message()).second);
  }
}
