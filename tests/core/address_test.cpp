#include <sluice/address.hpp>

#include <sluice/error.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::string_literals;

namespace {

/// The message of the error that `make` throws, without what std::system_error appends for the code.
template <class Make>
std::string problem(Make make) {
  try {
    make();
  } catch (const std::system_error& error) {
    const std::string what = error.what();
    const auto appended = ": " + error.code().message();
    CHECK(what.ends_with(appended));
    return what.substr(0, what.size() - appended.size());
  }
  return "nothing was thrown";
}

/// Stands in for a server's listen(), to see that its braces compile.
std::string listen(const address& at) { return at.to_string(); }

}  // namespace

static_assert(std::is_trivially_copyable_v<address>);
static_assert(std::is_nothrow_default_constructible_v<address>);
static_assert(sizeof(address) <= 120);

TEST_CASE("a default-constructed address is empty and equal to another one") {
  const address empty;
  CHECK(empty.family() == address_family::none);
  CHECK(empty.empty());
  CHECK_FALSE(empty.is_ip());
  CHECK_FALSE(empty.is_unix());
  CHECK(empty.to_string().empty());
  CHECK(empty == address());
  CHECK(empty != address::unix_unnamed());
}

TEST_CASE("an address is written in braces where one is expected") {
  CHECK(listen({"127.0.0.1", 7777}) == "127.0.0.1:7777");
  CHECK(listen({"::1", 0}) == "[::1]:0");
}

TEST_CASE("an IPv4 address keeps its host and port") {
  const address v4("192.0.2.7", 65535);
  CHECK(v4.is_v4());
  CHECK(v4.is_ip());
  CHECK(v4.host() == "192.0.2.7");
  CHECK(v4.port() == 65535);
  CHECK(v4.to_string() == "192.0.2.7:65535");
  CHECK(as_text(v4.ip_bytes()) == "\xc0\x00\x02\x07"s);
  CHECK(v4.path().empty());
}

TEST_CASE("an IPv6 address keeps its host, port and scope, and is written in its shortest form") {
  const address v6("2001:0DB8:0:0:0:0:0:1", 80);
  CHECK(v6.is_v6());
  CHECK(v6.to_string() == "[2001:db8::1]:80");
  CHECK(v6.ip_bytes().size() == 16);
  const address scoped("fe80::1%7", 80);
  CHECK(scoped.scope_id() == 7);
  CHECK(scoped.host() == "fe80::1%7");
  CHECK(scoped.to_string() == "[fe80::1%7]:80");
  CHECK(address(scoped.host(), scoped.port()) == scoped);
  CHECK(scoped != address("fe80::1", 80));
}

TEST_CASE("a scope may be the name of an interface, which is kept as its number") {
  std::error_code code;
  const auto scoped = address::ip("fe80::1%lo", 1, code);
  if (!code) CHECK(scoped.scope_id() > 0);
  address::ip("fe80::1%no-such-if0", 1, code);
  CHECK(code == errc::bad_address);
}

TEST_CASE("an address made of bytes equals the one made of text") {
  const auto text = "\x7f\0\0\1"s;
  const auto bytes = as_bytes(text);
  CHECK(address::v4(bytes.first<4>(), 80) == address("127.0.0.1", 80));
  CHECK(address::v4(bytes.first<4>(), 80) == address::loopback_v4(80));
  const address v6("fe80::1:2%3", 9);
  CHECK(address::v6(v6.ip_bytes().first<16>(), 9, 3) == v6);
}

TEST_CASE("the well-known addresses are the ones that their names say") {
  CHECK(address::any_v4(1).to_string() == "0.0.0.0:1");
  CHECK(address::any_v6(1).to_string() == "[::]:1");
  CHECK(address::loopback_v4(1).to_string() == "127.0.0.1:1");
  CHECK(address::loopback_v6(1).to_string() == "[::1]:1");
}

TEST_CASE("loopback, multicast and unspecified addresses are told apart, also when IPv4 is mapped into IPv6") {
  struct row {
    const char* host;
    bool loopback, multicast, unspecified;
  };
  const row rows[] = {
      {"127.0.0.1", true, false, false},
      {"127.255.0.9", true, false, false},
      {"::1", true, false, false},
      {"224.0.0.1", false, true, false},
      {"239.255.255.255", false, true, false},
      {"ff02::1", false, true, false},
      {"0.0.0.0", false, false, true},
      {"::", false, false, true},
      {"10.0.0.1", false, false, false},
      {"240.0.0.1", false, false, false},
      {"fe80::1", false, false, false},
      {"::2", false, false, false},
      {"::ffff:127.0.0.1", true, false, false},
      {"::ffff:224.0.0.1", false, true, false},
      {"::ffff:0.0.0.0", false, false, true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    const address value(row.host, 1);
    CHECK(value.is_loopback() == row.loopback);
    CHECK(value.is_multicast() == row.multicast);
    CHECK(value.is_unspecified() == row.unspecified);
  }
  CHECK_FALSE(address::unix_path("/x").is_loopback());
}

TEST_CASE("a Unix path is kept as it is, and escaped where it is written out") {
  const auto unix_socket = address::unix_path("/run/a b?#%\n\xc3\xb6.sock");
  CHECK(unix_socket.family() == address_family::unix_path);
  CHECK(unix_socket.is_unix());
  CHECK(unix_socket.path() == "/run/a b?#%\n\xc3\xb6.sock");
  CHECK(unix_socket.abstract_name().empty());
  CHECK(unix_socket.host().empty());
  CHECK(unix_socket.port() == 0);
  CHECK(unix_socket.to_string() == "unix:/run/a%20b%3F%23%25%0A%C3%B6.sock");
}

TEST_CASE("two slashes after unix: mean what they mean in an endpoint string") {
  CHECK(address::parse("unix:///run/x.sock") == address::unix_path("/run/x.sock"));
  CHECK(address::unix_path("//run/x.sock").to_string() == "unix:%2F/run/x.sock");
  CHECK(address::parse("unix:%2F/run/x.sock").path() == "//run/x.sock");
  CHECK(problem([] { address::parse("unix://run/x.sock"); }) ==
        "address \"unix://run/x.sock\" has a host where a path belongs; expected a form such as unix:/run/x.sock");
}

TEST_CASE("P6 an abstract name keeps every byte and its full length, leading and inner NULs included") {
  const auto name = "\0a\0"s;
  const auto abstract = address::unix_abstract(name);
  CHECK(abstract.family() == address_family::unix_abstract);
  CHECK(abstract.abstract_name() == name);
  CHECK(abstract.path().empty());
  CHECK(abstract.to_string() == "unix-abstract:%00a%00");
  CHECK(abstract != address::unix_abstract("\0a"s));
  const std::string longest(address::max_unix_name(), 'n');
  CHECK(address::unix_abstract(longest).abstract_name() == longest);
}

TEST_CASE("P6 a Unix path or name that is too long is an error that names the limit, and is not cut") {
  const std::string longest(address::max_unix_name(), 'p');
  CHECK(address::unix_path(longest).path() == longest);
  const auto limit = std::to_string(address::max_unix_name());
  const auto size = std::to_string(address::max_unix_name() + 1);
  const auto expected = "\"" + longest + "p\" is too long: the limit of a Unix name is " + limit + " bytes, this one has " + size;
  CHECK(problem([&] { address::unix_path(longest + 'p'); }) == "Unix path " + expected);
  CHECK(problem([&] { address::unix_abstract(longest + 'p'); }) == "Unix abstract name " + expected);
  CHECK(problem([&] { address::parse("unix:" + longest + "%70"); }).ends_with(limit + " bytes, this one has " + size));
  std::error_code code;
  CHECK(address::unix_path(longest + 'p', code).empty());
  CHECK(code == std::errc::filename_too_long);
  CHECK(address::unix_abstract(longest + 'p', code).empty());
  CHECK(code == std::errc::filename_too_long);
}

TEST_CASE("the text of an address parses to an equal address") {
  const address values[] = {
      {"127.0.0.1", 80},
      {"0.0.0.0", 0},
      {"::1", 80},
      {"::ffff:1.2.3.4", 1},
      {"fe80::1%2", 80},
      address::unix_path("/run/x.sock"),
      address::unix_path("relative %25?"),
      address::unix_path("@"),
      address::unix_abstract("name"),
      address::unix_abstract("\0\xff"s),
      address::unix_abstract(""),
      address::unix_unnamed(),
  };
  for (const auto& value : values) {
    CAPTURE(value.to_string());
    CHECK(address::parse(value.to_string()) == value);
    std::error_code code = make_error_code(errc::closed);
    CHECK(address::parse(value.to_string(), code) == value);
    CHECK_FALSE(code);
  }
}

TEST_CASE("a host that is not a numeric address is refused with what would be right") {
  struct row {
    std::string host, message;
  };
  const std::string not_v4 = " is not a numeric host; expected one such as 127.0.0.1 or ::1";
  const std::string not_v6 = " is not an IPv6 address; expected one such as ::1 or fe80::1%2";
  const std::string bad_scope = " has a scope that is neither a number above 0 nor an interface of this machine";
  const row rows[] = {
      {"", "address \"\"" + not_v4},
      {"localhost", "address \"localhost\"" + not_v4},
      {"127.0.0", "address \"127.0.0\"" + not_v4},
      {"127.0.0.256", "address \"127.0.0.256\"" + not_v4},
      {"127.0.0.01", "address \"127.0.0.01\"" + not_v4},
      {" 127.0.0.1", "address \" 127.0.0.1\"" + not_v4},
      {"127.0.0.1\0"s, "address \"127.0.0.1\\x00\"" + not_v4},
      {"127.0.0.1:80", "address \"127.0.0.1:80\" looks like a host and a port; expected the host alone, such as 127.0.0.1"},
      {"[::1]", "address \"[::1]\" has brackets; expected the host alone, such as ::1"},
      {":::", "address \":::\"" + not_v6},
      {"1:2:3:4:5:6:7:8:9", "address \"1:2:3:4:5:6:7:8:9\"" + not_v6},
      {"::1%", "address \"::1%\"" + bad_scope},
      {"::1%0", "address \"::1%0\"" + bad_scope},
      {"::1%4294967296", "address \"::1%4294967296\"" + bad_scope},
      {std::string(300, 'x'), "address \"" + std::string(200, 'x') + "\"..." + not_v4},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    CHECK(problem([&] { address(row.host, 1); }) == row.message);
    std::error_code code;
    CHECK(address::ip(row.host, 1, code).empty());
    CHECK(code == errc::bad_address);
  }
}

TEST_CASE("text that is not an address is refused with what would be right") {
  struct row {
    std::string text, message;
  };
  const row rows[] = {
      {"", "address \"\" is not an address; expected a form such as 127.0.0.1:80, [::1]:80 or unix:/run/x.sock"},
      {"127.0.0.1", "address \"127.0.0.1\" is not an address; expected a form such as 127.0.0.1:80, [::1]:80 or unix:/run/x.sock"},
      {"::1", "address \"::1\" has an IPv6 host without brackets; expected a form such as [::1]:80"},
      {"[::1]", "address \"[::1]\" has no port; expected a form such as [::1]:80"},
      {"[::1]80", "address \"[::1]80\" has no port; expected a form such as [::1]:80"},
      {"[::1:80", "address \"[::1:80\" has a '[' without ']'; expected a form such as [::1]:80"},
      {"[1.2.3.4]:80", "address \"[1.2.3.4]:80\" has brackets around what is not an IPv6 address; expected a form such as [::1]:80"},
      {"127.0.0.1:", "address \"127.0.0.1:\" has a port that is not a number from 0 to 65535"},
      {"127.0.0.1:65536", "address \"127.0.0.1:65536\" has a port that is not a number from 0 to 65535"},
      {"127.0.0.1:-1", "address \"127.0.0.1:-1\" has a port that is not a number from 0 to 65535"},
      {"127.0.0.1:+1", "address \"127.0.0.1:+1\" has a port that is not a number from 0 to 65535"},
      {"127.0.0.1:1 ", "address \"127.0.0.1:1 \" has a port that is not a number from 0 to 65535"},
      {"name:80", "address \"name:80\" is not a numeric host; expected one such as 127.0.0.1 or ::1"},
      {"unix:/a%2", "address \"unix:/a%2\" has a bad percent escape; expected % and two hexadecimal digits"},
      {"unix:/a%zz", "address \"unix:/a%zz\" has a bad percent escape; expected % and two hexadecimal digits"},
      {"unix:/a%00", "address \"unix:/a%00\" has a NUL byte in it; expected a path such as /run/x.sock, or an abstract name"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(problem([&] { address::parse(row.text); }) == row.message);
    std::error_code code;
    CHECK(address::parse(row.text, code).empty());
    CHECK(code == errc::bad_address);
  }
}

TEST_CASE("an empty Unix path and one with a NUL are refused") {
  CHECK(problem([] { address::unix_path(""); }) == "Unix path \"\" is empty; expected a path such as /run/x.sock");
  CHECK(problem([] { address::unix_path("a\0b"s); }) ==
        "Unix path \"a\\x00b\" has a NUL byte in it; expected a path such as /run/x.sock, or an abstract name");
}

TEST_CASE("with_port changes the port of an IP address and nothing else") {
  CHECK(address("::1%3", 1).with_port(2) == address("::1%3", 2));
  CHECK(address::unix_path("/x").with_port(2) == address::unix_path("/x"));
  CHECK(address().with_port(2) == address());
}

TEST_CASE("different addresses differ in every container, equal ones do not") {
  const std::vector<address> values = {address(),
                                       {"127.0.0.1", 80},
                                       {"127.0.0.1", 81},
                                       {"127.0.0.2", 80},
                                       {"::1", 80},
                                       {"::1%1", 80},
                                       {"::1%2", 80},
                                       address::unix_path("name"),
                                       address::unix_path("nam"),
                                       address::unix_abstract("name"),
                                       address::unix_unnamed()};
  const std::set<address> ordered(values.begin(), values.end());
  const std::unordered_set<address> hashed(values.begin(), values.end());
  CHECK(ordered.size() == values.size());
  CHECK(hashed.size() == values.size());
  for (const auto& value : values) {
    CHECK(ordered.count(value) == 1);
    CHECK(hashed.count(value) == 1);
  }
  CHECK(address("9.0.0.1", 9) < address("10.0.0.1", 1));
  CHECK(address("200.0.0.1", 1) > address("100.0.0.1", 1));
}

TEST_CASE("unmapped takes an IPv4 address out of IPv6 and leaves everything else as it is") {
  CHECK(address("::ffff:10.1.2.3", 80).unmapped() == address("10.1.2.3", 80));
  for (const address& each : {address("10.1.2.3", 80), address("::1", 80), address("::10.1.2.3", 80), address(), address::unix_path("/x")})
    CHECK(each.unmapped() == each);
}
