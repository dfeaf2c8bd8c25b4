#include <sluice/endpoint.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::string_literals;

namespace {

using pairs = std::vector<std::pair<std::string, std::string>>;

pairs options_of(const endpoint& value) {
  pairs found;
  for (const auto& option : value.options()) found.emplace_back(option.name, option.value);
  return found;
}

std::string part_of(const endpoint& value, text_range where) { return value.text().substr(where.offset, where.length); }

struct refusal {
  std::string text;
  std::size_t offset;
  std::size_t length;
  std::string message;
};

void check_refused(const refusal& row) {
  CAPTURE(row.text);
  endpoint_error error;
  CHECK(endpoint::parse(row.text, error).empty());
  CHECK(error.code == errc::bad_endpoint);
  CHECK(error.message == row.message);
  CHECK(error.offset == row.offset);
  CHECK(error.length == row.length);
}

}  // namespace

TEST_CASE("every documented form is read into its parts") {
  struct row {
    const char* text;
    const char* scheme;
    const char* host;
    std::optional<std::uint16_t> port;
    const char* path;
    pairs options;
  };
  const row rows[] = {
      {"tcp://host:80?backlog=1024&nodelay=off", "tcp", "host", 80, "", {{"backlog", "1024"}, {"nodelay", "off"}}},
      {"tcp://[::1]:0", "tcp", "::1", 0, "", {}},
      {"tcp://[fe80::1%eth0]:65535", "tcp", "fe80::1%eth0", 65535, "", {}},
      {"tcp://0.0.0.0:7000", "tcp", "0.0.0.0", 7000, "", {}},
      {"tcp://my_name.example-1.org:80", "tcp", "my_name.example-1.org", 80, "", {}},
      {"tcp://:7000", "tcp", "", 7000, "", {}},
      {"tcp://host", "tcp", "host", std::nullopt, "", {}},
      {"tls://host:1?cert=a/b.pem&key=%26%23", "tls", "host", 1, "", {{"cert", "a/b.pem"}, {"key", "&#"}}},
      {"ws://host:1/chat%20room?x=1", "ws", "host", 1, "/chat room", {{"x", "1"}}},
      {"unix:/run/x.sock?mode=0660", "unix", "", std::nullopt, "/run/x.sock", {{"mode", "0660"}}},
      {"unix:///run/x.sock", "unix", "", std::nullopt, "/run/x.sock", {}},
      {"unix:relative", "unix", "", std::nullopt, "relative", {}},
      {"unix-abstract:a:b@c", "unix-abstract", "", std::nullopt, "a:b@c", {}},
      {"exec:/usr/bin/bc?arg=-l&env=A=B&arg=a+b", "exec", "", std::nullopt, "/usr/bin/bc", {{"arg", "-l"}, {"env", "A=B"}, {"arg", "a+b"}}},
      {"stdio:", "stdio", "", std::nullopt, "", {}},
      {"fd://3", "fd", "3", std::nullopt, "", {}},
      {"serial:///dev/ttyUSB0?baud=115200", "serial", "", std::nullopt, "/dev/ttyUSB0", {{"baud", "115200"}}},
      {"serial:usb:0403:6001:SERIAL", "serial", "", std::nullopt, "usb:0403:6001:SERIAL", {}},
      {"pty:/path?empty=", "pty", "", std::nullopt, "/path", {{"empty", ""}}},
      {"udp://", "udp", "", std::nullopt, "", {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const endpoint value(row.text);
    CHECK(value.scheme() == row.scheme);
    CHECK(value.host() == row.host);
    CHECK(value.port() == row.port);
    CHECK(value.path() == row.path);
    CHECK(options_of(value) == row.options);
    CHECK(value.text() == row.text);
    CHECK(endpoint(value.to_string()) == value);
  }
}

TEST_CASE("percent escapes in paths and values give any byte, and come back encoded") {
  const endpoint value("unix-abstract:%00%ff%41 b?name=%00%3D");
  CHECK(value.path() == "\0\xff"s + "A b");
  CHECK(value.options()[0].value == "\0="s);
  CHECK(value.to_string() == "unix-abstract:%00%FFA%20b?name=%00=");
  CHECK(endpoint(value.to_string()) == value);
}

TEST_CASE("the written form is the shortest spelling and reads back as the same endpoint") {
  const std::pair<const char*, const char*> rows[] = {
      {"TCP://Host:00080", "tcp://Host:80"}, {"unix:/a%2fb", "unix:/a/b"},
      {"unix:%2F/host", "unix:%2F/host"},    {"unix:////host", "unix:////host"},
      {"unix:/\xc3\xb6", "unix:/%C3%B6"},    {"x:%3f%23%25%26?v=?%26%23%25", "x:%3F%23%25&?v=?%26%23%25"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    const endpoint value(row.first);
    CHECK(value.to_string() == row.second);
    CHECK(endpoint(row.second) == value);
  }
  CHECK(endpoint().to_string().empty());
}

TEST_CASE("endpoints compare by what they mean") {
  CHECK(endpoint("tcp://h:80?a=%41") == endpoint("TCP://h:080?a=A"));
  CHECK(endpoint("tcp://h:80") != endpoint("tcp://h:81"));
  CHECK(endpoint("tcp://h:80") != endpoint("tcp://h"));
  CHECK(endpoint("tcp://h?a=1&b=2") != endpoint("tcp://h?b=2&a=1"));
  CHECK(endpoint("unix:/h") != endpoint("unix:///h"));
  CHECK(endpoint() == endpoint());
}

TEST_CASE("every part knows where it stands in the text") {
  const endpoint value("tls://[::1]:4433/p%20q?cert=a.pem&key=");
  CHECK(part_of(value, value.where(endpoint_part::scheme)) == "tls");
  CHECK(part_of(value, value.where(endpoint_part::host)) == "::1");
  CHECK(part_of(value, value.where(endpoint_part::port)) == "4433");
  CHECK(part_of(value, value.where(endpoint_part::path)) == "/p%20q");
  CHECK(part_of(value, value.options()[0].name_at) == "cert");
  CHECK(part_of(value, value.options()[0].value_at) == "a.pem");
  CHECK(value.options()[1].value_at == text_range{value.text().size(), 0});
  CHECK(endpoint("tcp://host").where(endpoint_part::port) == text_range{10, 0});
}

TEST_CASE("a text without a usable scheme is refused, and the message shows the form") {
  const std::string form = "; expected a form such as tcp://127.0.0.1:7000 or unix:/run/x.sock";
  check_refused({"", 0, 0, "endpoint \"\": at 0 there is nothing" + form});
  check_refused({"localhost", 0, 9, "endpoint \"localhost\": \"localhost\" at 0 has no scheme" + form});
  check_refused({":80", 0, 0, "endpoint \":80\": at 0 there is no scheme" + form});
  check_refused({"127.0.0.1:80", 0, 9, "endpoint \"127.0.0.1:80\": \"127.0.0.1\" at 0 is not a scheme" + form});
  check_refused({"[::1]:80", 0, 1, "endpoint \"[::1]:80\": \"[\" at 0 is not a scheme" + form});
  check_refused({"t cp://h", 0, 4, "endpoint \"t cp://h\": \"t cp\" at 0 is not a scheme" + form});
}

TEST_CASE("a malformed host is refused at the character that is wrong") {
  const std::string brackets = "expected an IPv6 address between brackets, such as [::1]";
  check_refused({"tcp://a,b:1", 7, 1,
                 "endpoint \"tcp://a,b:1\": \",\" at 7 does not belong in a host; expected letters, digits, \"-\", \"_\" and \".\""});
  check_refused({"tcp://a%20:1", 7, 1,
                 "endpoint \"tcp://a%20:1\": \"%\" at 7 does not belong in a host; expected letters, digits, \"-\", \"_\" and \".\""});
  check_refused(
      {"tcp://\xc3\xb6:1", 6, 1,
       "endpoint \"tcp://\\xC3\\xB6:1\": \"\\xC3\" at 6 does not belong in a host; expected letters, digits, \"-\", \"_\" and \".\""});
  check_refused({"tcp://[::1:80", 6, 1, "endpoint \"tcp://[::1:80\": \"[\" at 6 is an unbalanced bracket; " + brackets});
  check_refused({"tcp://::1]:80", 9, 1, "endpoint \"tcp://::1]:80\": \"]\" at 9 is an unbalanced bracket; " + brackets});
  check_refused({"tcp://[]:80", 6, 2, "endpoint \"tcp://[]:80\": \"[]\" at 6 is empty; " + brackets});
  check_refused({"tcp://::1:80", 6, 6,
                 "endpoint \"tcp://::1:80\": \"::1:80\" at 6 has too many colons; expected an IPv6 address in brackets, such as [::1]"});
  const auto check_bad_v6 = [](const std::string& host) {
    const auto text = "tcp://[" + host + "]:80";
    const auto quoted = "endpoint \"" + text + "\": \"" + host;
    check_refused({text, 7, host.size(), quoted + "\" at 7 is not an IPv6 address; expected one such as ::1 or fe80::1%eth0"});
  };
  for (const auto* const host : {"host", "127.0.0.1", "::g", "::1%", "::1%a b", ":::"}) check_bad_v6(host);
  check_refused(
      {"tcp://[::1]80", 11, 2, "endpoint \"tcp://[::1]80\": \"80\" at 11 does not belong behind a bracket; expected \":\" and a port"});
  check_refused(
      {"tcp://me:secret@host:1", 6, 10,
       "endpoint \"tcp://me:secret@host:1\": \"me:secret@\" at 6 is a user name, which endpoints do not have; expected a host, or a host "
       "and a port"});
}

TEST_CASE("a malformed port is refused with its range") {
  const std::string range = "; expected a number from 0 to 65535";
  check_refused({"tcp://127.0.0.1:99999", 16, 5, "endpoint \"tcp://127.0.0.1:99999\": \"99999\" at 16 is not a port" + range});
  check_refused({"tcp://h:65536", 8, 5, "endpoint \"tcp://h:65536\": \"65536\" at 8 is not a port" + range});
  check_refused({"tcp://h:-1", 8, 2, "endpoint \"tcp://h:-1\": \"-1\" at 8 is not a port" + range});
  check_refused({"tcp://h:http", 8, 4, "endpoint \"tcp://h:http\": \"http\" at 8 is not a port" + range});
  check_refused({"tcp://[::1]:8 ", 12, 2, "endpoint \"tcp://[::1]:8 \": \"8 \" at 12 is not a port" + range});
  check_refused({"tcp://h:?a=b", 8, 0, "endpoint \"tcp://h:?a=b\": at 8 there is no port behind \":\"" + range});
}

TEST_CASE("malformed options are refused where they stand") {
  const std::string characters = " does not belong in an option name; expected letters, digits, \"-\", \"_\" and \".\"";
  check_refused({"tcp://h:1?", 10, 0, "endpoint \"tcp://h:1?\": at 10 there is no option; expected name=value"});
  check_refused({"tcp://h:1?a=1&&b=2", 14, 0, "endpoint \"tcp://h:1?a=1&&b=2\": at 14 there is no option; expected name=value"});
  check_refused({"tcp://h:1?a=1&", 14, 0, "endpoint \"tcp://h:1?a=1&\": at 14 there is no option; expected name=value"});
  check_refused({"tcp://h:1?nodelay", 10, 7, "endpoint \"tcp://h:1?nodelay\": \"nodelay\" at 10 has no value; expected name=value"});
  check_refused({"tcp://h:1?=x", 10, 0, "endpoint \"tcp://h:1?=x\": at 10 there is no option name in front of \"=\"; expected name=value"});
  check_refused({"tcp://h:1?a%62=x", 11, 1, "endpoint \"tcp://h:1?a%62=x\": \"%\" at 11" + characters});
  check_refused({"tcp://h:1?a=1?b=2&c?=1", 19, 1, "endpoint \"tcp://h:1?a=1?b=2&c?=1\": \"?\" at 19" + characters});
}

TEST_CASE("bad percent escapes are refused where they stand") {
  const std::string expected = " is not a percent escape; expected % and two hexadecimal digits, or %25 for % itself";
  check_refused({"unix:/a%zz", 7, 3, "endpoint \"unix:/a%zz\": \"%zz\" at 7" + expected});
  check_refused({"unix:/a%2", 7, 2, "endpoint \"unix:/a%2\": \"%2\" at 7" + expected});
  check_refused({"unix:/a%2?b=1", 7, 2, "endpoint \"unix:/a%2?b=1\": \"%2\" at 7" + expected});
  check_refused({"unix:/a?b=100%&c=41", 13, 1, "endpoint \"unix:/a?b=100%&c=41\": \"%\" at 13" + expected});
}

TEST_CASE("control characters, fragments and absurd lengths are refused") {
  check_refused({"unix:/a\n", 7, 1, "endpoint \"unix:/a\\x0A\": \"\\x0A\" at 7 is a control character; expected it percent-encoded"});
  check_refused({"unix:/a\0b"s, 7, 1, "endpoint \"unix:/a\\x00b\": \"\\x00\" at 7 is a control character; expected it percent-encoded"});
  check_refused(
      {"unix:/a#b", 7, 1,
       "endpoint \"unix:/a#b\": \"#\" at 7 begins a fragment, which endpoints do not have; expected %23 for the character itself"});
  const std::string longest = "unix:" + std::string(endpoint::max_size - 5, 'x');
  CHECK(endpoint(longest).to_string() == longest);
  const std::string shown = "endpoint \"" + longest.substr(0, 200) + "\"...: ";
  check_refused({longest + "yy", 4096, 2, shown + "\"yy\" at 4096 is too much; expected at most 4096 bytes"});
  const std::string grows = "unix:" + std::string(2000, ' ');
  check_refused({grows, 0, 2005,
                 "endpoint \"unix:" + std::string(195, ' ') + "\"...: \"unix:" + std::string(55, ' ') +
                     "\"... at 0 is too much; expected at most 4096 bytes when percent-encoded, and it takes 6005"});
}

TEST_CASE("the throwing constructor throws a system_error whose text is the message") {
  try {
    const endpoint value("tcp://127.0.0.1:99999");
    FAIL("nothing was thrown");
  } catch (const std::system_error& error) {
    CHECK(error.code() == errc::bad_endpoint);
    CHECK(std::string(error.what()) ==
          "endpoint \"tcp://127.0.0.1:99999\": \"99999\" at 16 is not a port; expected a number from 0 to 65535");
    REQUIRE(dynamic_cast<const bad_endpoint*>(&error) != nullptr);
    CHECK(dynamic_cast<const bad_endpoint&>(error).error().offset == 16);
  }
}

TEST_CASE("a successful parse clears the error of the one before") {
  endpoint_error error;
  endpoint::parse("", error);
  CHECK(error);
  CHECK(endpoint::parse("stdio:", error) == endpoint("stdio:"));
  CHECK_FALSE(error);
  CHECK(error.message.empty());
}

TEST_CASE("with_port and with_scheme change one part and keep the text that errors point into") {
  const endpoint value("tls://host:0?cert=x");
  CHECK(value.with_port(4433).to_string() == "tls://host:4433?cert=x");
  CHECK(value.with_port(4433).text() == value.text());
  CHECK(value.with_scheme("TCP").to_string() == "tcp://host:0?cert=x");
  CHECK(endpoint("unix:/x").with_port(1) == endpoint("unix:/x"));
  CHECK(endpoint("unix:///x").with_port(1) == endpoint("unix:///x"));
  CHECK(endpoint("tcp://host").with_port(1) == endpoint("tcp://host:1"));
  CHECK(endpoint("tcp://:5").with_port(1) == endpoint("tcp://:1"));
  CHECK_THROWS_AS(value.with_scheme("no scheme"), std::invalid_argument);
}

TEST_CASE("require_host_port gives both or says which is missing and where") {
  const endpoint good("tcp://[::1]:80?x=y");
  CHECK(good.require_host_port().host == "::1");
  CHECK(good.require_host_port().port == 80);
  const std::string form = "; expected a form such as tcp://127.0.0.1:7000";
  const std::pair<const char*, std::string> rows[] = {
      {"tcp:127.0.0.1:80", "endpoint \"tcp:127.0.0.1:80\": \"127.0.0.1:80\" at 4 is not a host and a port"},
      {"tcp:", "endpoint \"tcp:\": at 4 there is no host"},
      {"tcp://:80", "endpoint \"tcp://:80\": at 6 there is no host"},
      {"tcp://127.0.0.1", "endpoint \"tcp://127.0.0.1\": at 15 there is no port"},
      {"tcp://[::1]", "endpoint \"tcp://[::1]\": at 11 there is no port"},
      {"tcp://h:1/x", "endpoint \"tcp://h:1/x\": \"/x\" at 9 is a path, which tcp does not have"},
  };
  for (const auto& [text, message] : rows) {
    endpoint_error error;
    CHECK_FALSE(endpoint(text).require_host_port(error));
    CHECK(error.message == message + form);
    CHECK_THROWS_AS(endpoint(text).require_host_port(), bad_endpoint);
  }
}

TEST_CASE("require_path gives the path or says what stands in its place") {
  CHECK(endpoint("unix:/run/x").require_path("unix:/run/x.sock") == "/run/x");
  CHECK(endpoint("unix:///run/x").require_path("unix:/run/x.sock") == "/run/x");
  const std::string form = "; expected a form such as unix:/run/x.sock";
  const std::pair<const char*, std::string> rows[] = {
      {"unix:", "endpoint \"unix:\": at 5 there is nothing"},
      {"unix://", "endpoint \"unix://\": at 7 there is nothing"},
      {"unix://run/x.sock", "endpoint \"unix://run/x.sock\": \"run\" at 7 is a host, which unix does not have"},
      {"unix://:1/x.sock", "endpoint \"unix://:1/x.sock\": \"1\" at 8 is a port, which unix does not have"},
  };
  for (const auto& [text, message] : rows) {
    endpoint_error error;
    CHECK_FALSE(endpoint(text).require_path("unix:/run/x.sock", error));
    CHECK(error.message == message + form);
    CHECK_THROWS_AS(endpoint(text).require_path("unix:/run/x.sock"), bad_endpoint);
  }
}

TEST_CASE("a scheme's own error points at the part that it is about") {
  const endpoint value("fd://three");
  const auto error = value.error_at(endpoint_part::host, "is not a descriptor; expected a number", errc::unknown_scheme);
  CHECK(error.code == errc::unknown_scheme);
  CHECK(error.message == "endpoint \"fd://three\": \"three\" at 5 is not a descriptor; expected a number");
  CHECK(error.offset == 5);
  CHECK(error.length == 5);
}
