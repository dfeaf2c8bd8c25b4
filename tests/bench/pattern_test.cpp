#include "pattern.hpp"

#include <cstddef>
#include <stdexcept>
#include <vector>

#include <doctest/doctest.h>

using load::pattern;

namespace {

std::vector<std::byte> copy_of(std::span<const std::byte> data) { return {data.begin(), data.end()}; }

}  // namespace

TEST_CASE("what was sent is right, however it is cut and however far it went") {
  const pattern bytes(4096);
  for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{65'000}, std::uint64_t{1} << 40}) {
    const auto sent = copy_of(bytes.at(3, position, 4096));
    CHECK_NOTHROW(bytes.check(3, position, sent));
    CHECK_NOTHROW(bytes.check(3, position + 1, std::span(sent).subspan(1, 1000)));
    CHECK_NOTHROW(bytes.check(3, position + 1001, std::span(sent).subspan(1001)));
  }
}

TEST_CASE("one wrong byte is found, and named") {
  const pattern bytes(1024);
  auto data = copy_of(bytes.at(7, 1000, 1024));
  data[34] ^= std::byte{1};
  CHECK_THROWS_WITH_AS(bytes.check(7, 1000, data), doctest::Contains("connection 7: byte 1034 is "), std::runtime_error);
}

TEST_CASE("right bytes at the wrong place or on the wrong connection are wrong") {
  const pattern bytes(64);
  const auto data = copy_of(bytes.at(1, 0, 64));
  CHECK_THROWS_AS(bytes.check(1, 64, data), std::runtime_error);
  CHECK_THROWS_AS(bytes.check(2, 0, data), std::runtime_error);
}

TEST_CASE("a piece larger than was said is refused") { CHECK_THROWS_AS(pattern(64).at(0, 0, 65), std::logic_error); }
