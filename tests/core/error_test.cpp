#include <sluice/error.hpp>

#include <cerrno>

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("a system error compares equal to the std::errc of the same number and names itself as libuv does") {
  const auto code = system_error(ECONNRESET);
  CHECK(code == std::errc::connection_reset);
  CHECK(describe(code) == "uv:104 ECONNRESET: connection reset by peer");
}

TEST_CASE("conditions group codes by the reaction they call for") {
  CHECK(system_error(EPIPE) == condition::peer_gone);
  CHECK(system_error(EAGAIN) == condition::would_retry);
  CHECK(make_error_code(errc::timed_out) == condition::local_end);
  CHECK(make_error_code(errc::aborted) != condition::peer_gone);
  CHECK(std::error_code() != condition::local_end);
}

TEST_CASE("every enumerator of errc has a message of its own") {
  for (int value = static_cast<int>(errc::aborted); value <= static_cast<int>(errc::bytes_reserved); ++value)
    CHECK(make_error_code(static_cast<errc>(value)).message() != "unknown error");
}
