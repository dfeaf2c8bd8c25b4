#include <sluice/proxy_protocol/error.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using sluice::proxy_protocol::errc;

TEST_CASE("every error has a message of its own, in a category named proxy_protocol") {
  std::set<std::string> seen;
  for (int value = 1; value <= static_cast<int>(errc::untrusted_source); ++value) {
    const std::error_code code = static_cast<errc>(value);
    CHECK(std::string(code.category().name()) == "proxy_protocol");
    CHECK(code.message() != "unknown error");
    CHECK(seen.insert(code.message()).second);
  }
}
