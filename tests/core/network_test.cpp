#include <sluice/network.hpp>

#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>
#include <sluice/error.hpp>

using namespace sluice;

TEST_CASE("a network contains the addresses that share its first bits, whatever their port") {
  struct row {
    const char* block;
    const char* lowest;
    const char* highest;
    const char* below;
    const char* above;
  };
  for (const row& each : {row{"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
                          row{"192.168.8.0/21", "192.168.8.0", "192.168.15.255", "192.168.7.255", "192.168.16.0"},
                          row{"203.0.113.64/26", "203.0.113.64", "203.0.113.127", "203.0.113.63", "203.0.113.128"},
                          row{"192.0.2.7/32", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
                          row{"128.0.0.0/1", "128.0.0.0", "255.255.255.255", "127.255.255.255", "::1"},
                          row{"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                              "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
                          row{"fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe7f::", "fec0::"},
                          row{"::1/128", "::1", "::1", "::", "::2"}}) {
    CAPTURE(each.block);
    const network block = network::parse(each.block);
    CHECK(block.contains({each.lowest, 0}));
    CHECK(block.contains({each.highest, 65535}));
    CHECK_FALSE(block.contains({each.below, 0}));
    CHECK_FALSE(block.contains({each.above, 0}));
    CHECK(block.to_string() == each.block);
    CHECK(block.base() == address(each.lowest, 0));
    CHECK(network(address(each.lowest, 1234), block.prefix()) == block);
  }
}

TEST_CASE("a prefix of 0 is every address of the family, and of no other") {
  const network four = network::parse("0.0.0.0/0");
  const network six = network::parse("::/0");
  CHECK(four.contains({"255.1.2.3", 0}));
  CHECK_FALSE(four.contains({"::1", 0}));
  CHECK(six.contains({"::1", 0}));
  CHECK_FALSE(six.contains({"255.1.2.3", 0}));
}

TEST_CASE("an IPv4 address inside IPv6 belongs to the networks of IPv4") {
  const address mapped("::ffff:10.1.2.3", 80);
  CHECK(network::parse("10.0.0.0/8").contains(mapped));
  CHECK_FALSE(network::parse("11.0.0.0/8").contains(mapped));
  CHECK_FALSE(network::parse("::/0").contains(mapped));
}

TEST_CASE("a lone address stands for itself, and a scope does not count") {
  CHECK(network::parse("192.0.2.7") == network::parse("192.0.2.7/32"));
  CHECK(network::parse("::1").to_string() == "::1/128");
  CHECK(network::parse("fe80::/10").contains(address("fe80::1%1", 0)));
}

TEST_CASE("the empty network contains nothing, and no network contains what is not IP") {
  CHECK(network().empty());
  CHECK(network().to_string().empty());
  CHECK(network().base().empty());
  CHECK_FALSE(network().contains({"0.0.0.0", 0}));
  CHECK_FALSE(network().contains(address()));
  for (const address& other : {address(), address::unix_path("/x"), address::unix_unnamed()})
    CHECK_FALSE(network::parse("0.0.0.0/0").contains(other));
}

TEST_CASE("a list contains what one of its networks contains") {
  const std::vector<network> some{network::parse("10.0.0.0/8"), network::parse("::1")};
  CHECK(contains(some, {"10.9.8.7", 1}));
  CHECK(contains(some, {"::1", 1}));
  CHECK_FALSE(contains(some, {"192.0.2.1", 1}));
  CHECK_FALSE(contains({}, {"10.9.8.7", 1}));
}

TEST_CASE("what is not a network is refused with its text and what would be right") {
  const std::string form = "; expected one such as 10.0.0.0/8 or 2001:db8::/32";
  const std::pair<const char*, std::string> rows[] = {
      {"", "is not a block of IP addresses" + form},
      {"/8", "is not a block of IP addresses" + form},
      {"ten", "is not a block of IP addresses" + form},
      {"10.0/8", "is not a block of IP addresses" + form},
      {"fe80::%1/10", "is not a block of IP addresses" + form},
      {"10.0.0.0/", "has no number behind the slash" + form},
      {"10.0.0.0/x", "has no number behind the slash" + form},
      {"10.0.0.0/-1", "has no number behind the slash" + form},
      {"10.0.0.0/8/8", "has no number behind the slash" + form},
      {"10.0.0.0/33", "has a prefix longer than an IPv4 address; expected one from 0 to 32"},
      {"::/129", "has a prefix longer than an IPv6 address; expected one from 0 to 128"},
      {"10.0.0.1/8", "has bits behind its prefix; expected 10.0.0.0/8"},
      {"2001:db8::1/127", "has bits behind its prefix; expected 2001:db8::/127"},
      {"::ffff:10.0.0.0/104", "is IPv4 inside IPv6; expected it in the form of IPv4, such as 10.0.0.0/8"},
  };
  for (const auto& [text, problem] : rows) {
    const std::string message = "network \"" + std::string(text) + "\" " + problem;
    CHECK_THROWS_WITH_AS(network::parse(text), doctest::Contains(message.c_str()), std::system_error);
    std::error_code code;
    CHECK(network::parse(text, code).empty());
    CHECK(code == errc::bad_address);
  }
  std::error_code code = errc::bad_address;
  CHECK_FALSE(network::parse("10.0.0.0/8", code).empty());
  CHECK_FALSE(code);
  CHECK_THROWS_AS(network(address::unix_path("/x"), 8), std::system_error);
  CHECK_THROWS_AS(network(address("10.0.0.1", 0), 8), std::system_error);
}
