#include <sluice/detail/compact_address.hpp>

#include <string>
#include <utility>

#include <doctest/doctest.h>

using namespace sluice;
using detail::compact_address;
using namespace std::string_literals;

static_assert(!std::is_copy_constructible_v<compact_address>);
static_assert(std::is_nothrow_move_constructible_v<compact_address> && std::is_nothrow_move_assignable_v<compact_address>);

TEST_CASE("I2 a kept address takes at most 28 bytes and expands to what it was made of") {
  const address values[] = {address(),
                            {"192.0.2.7", 65535},
                            {"fe80::1%7", 80},
                            address::unix_path("/run/x.sock"),
                            address::unix_path(std::string(address::max_unix_name(), 'p')),
                            address::unix_abstract("\0a\0"s),
                            address::unix_abstract(""),
                            address::unix_unnamed()};
  for (const auto& value : values) {
    CAPTURE(value.to_string());
    const compact_address kept(value);
    CHECK(sizeof kept <= 28);
    CHECK(kept.expand() == value);
    CHECK(kept.empty() == value.empty());
  }
}

TEST_CASE("moving a kept address leaves the source empty and frees what the target held") {
  const auto path = address::unix_path("/run/x.sock");
  compact_address source(path);
  compact_address target(std::move(source));
  CHECK(target.expand() == path);
  CHECK(source.empty());
  target = compact_address(address::unix_abstract("other"));
  CHECK(target.expand() == address::unix_abstract("other"));
  auto& same = target;
  target = std::move(same);
  CHECK(target.expand() == address::unix_abstract("other"));
  target = compact_address(address("::1", 80));
  CHECK(target.expand() == address("::1", 80));
}
