#include <sluice/option_table.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

enum class parity {
  none,
  even,
  odd
};

struct limits {
  std::uint64_t high = 0;
};

struct line_options {
  int backlog = 100;
  std::uint8_t small = 0;
  bool nodelay = true;
  std::chrono::milliseconds idle{0};
  std::chrono::duration<int> grace{1};
  std::size_t buffer = 65536;
  std::optional<unsigned> mode;
  parity check = parity::none;
  std::string name;
  std::vector<std::string> args;
  limits write;
  std::pair<int, int> window;
};

option_table<line_options> make_table() {
  option_table<line_options> table;
  table.integer("backlog", &line_options::backlog, 1, 65535)
      .integer("small", &line_options::small, 0, 255)
      .flag("nodelay", &line_options::nodelay)
      .duration("idle", &line_options::idle, 0s, 1h)
      .duration("grace", &line_options::grace, 1s, 90s)
      .size("buffer", &line_options::buffer)
      .mode("mode", &line_options::mode)
      .choice("parity", &line_options::check, {{"none", parity::none}, {"even", parity::even}, {"odd", parity::odd}})
      .text("name", &line_options::name)
      .texts("arg", &line_options::args)
      .size(
          "high", [](line_options& options) -> std::uint64_t& { return options.write.high; }, 1024, 1 << 30)
      .custom("window", "two digits", [](line_options& options, std::string_view text) {
        options.window = text.size() == 2 ? std::pair(text[0] - '0', text[1] - '0') : std::pair(0, 0);
        return text.size() == 2;
      });
  return table;
}

line_options read(const std::string& options) { return make_table().read("test:?" + options); }

/// The message without the quoted endpoint in front.
std::string problem(const std::string& options) {
  const std::string text = "test:?" + options;
  line_options into;
  endpoint_error error;
  CHECK_FALSE(make_table().apply(text, into, error));
  CHECK(error.code == errc::bad_endpoint);
  const std::string front = "endpoint \"" + text + "\": ";
  CHECK(error.message.starts_with(front));
  return error.message.substr(front.size());
}

}  // namespace

TEST_CASE("options that are not given keep their defaults") {
  const auto options = make_table().read("tcp://127.0.0.1:80");
  CHECK(options.backlog == 100);
  CHECK(options.nodelay);
  CHECK_FALSE(options.mode.has_value());
}

TEST_CASE("every kind of option sets its field") {
  CHECK(read("backlog=65535").backlog == 65535);
  CHECK(read("small=255").small == 255);
  CHECK(read("mode=0660").mode == 0660U);
  CHECK(read("mode=7777").mode == 07777U);
  CHECK(read("parity=odd").check == parity::odd);
  CHECK(read("name=a%20b").name == "a b");
  CHECK(read("name=").name.empty());
  CHECK(read("window=42").window == std::pair(4, 2));
  CHECK(read("high=64KiB").write.high == 65536);
  CHECK(read("arg=-l&backlog=7&arg=&arg=x").args == std::vector<std::string>{"-l", "", "x"});
}

TEST_CASE("flags are read in each of their spellings") {
  for (const std::string text : {"on", "true", "yes", "1"}) CHECK(read("nodelay=" + text).nodelay);
  for (const std::string text : {"off", "false", "no", "0"}) CHECK_FALSE(read("nodelay=" + text).nodelay);
}

TEST_CASE("durations are read with their units") {
  CHECK(read("idle=0").idle == 0s);
  CHECK(read("idle=0s").idle == 0s);
  CHECK(read("idle=250ms").idle == 250ms);
  CHECK(read("idle=2000us").idle == 2ms);
  CHECK(read("idle=30s").idle == 30s);
  CHECK(read("idle=5m").idle == 5min);
  CHECK(read("idle=1h").idle == 1h);
  CHECK(read("grace=1000ms").grace == 1s);
}

TEST_CASE("sizes are read with their units") {
  CHECK(read("buffer=0").buffer == 0);
  CHECK(read("buffer=1500").buffer == 1500);
  CHECK(read("buffer=64KiB").buffer == 65536);
  CHECK(read("buffer=1MiB").buffer == 1048576);
  CHECK(read("buffer=3GiB").buffer == 3221225472);
  CHECK(read("buffer=18446744073709551615").buffer == 18446744073709551615U);
}

TEST_CASE("a value that is malformed or out of range is refused with what would be right") {
  const std::string idle = " is not a value for idle; expected a duration from 0 to 1h, such as 30s or 250ms";
  const std::string grace = " is not a value for grace; expected a duration from 1s to 90s in steps of 1s, such as 30s or 5m";
  const std::string buffer = " is not a value for buffer; expected a size such as 65536, 64KiB or 1MiB";
  const std::string high = " is not a value for high; expected a size from 1KiB to 1GiB, such as 65536, 64KiB or 1MiB";
  const std::string backlog = " is not a value for backlog; expected a number from 1 to 65535";
  const std::pair<std::string, std::string> rows[] = {
      {"backlog=0", "\"0\" at 14" + backlog},
      {"backlog=65536", "\"65536\" at 14" + backlog},
      {"backlog=ten", "\"ten\" at 14" + backlog},
      {"backlog=1x", "\"1x\" at 14" + backlog},
      {"backlog=99999999999999999999", "\"99999999999999999999\" at 14" + backlog},
      {"backlog=", "at 14 there is no value for backlog; expected a number from 1 to 65535"},
      {"nodelay=ON", "\"ON\" at 14 is not a value for nodelay; expected on or off"},
      {"nodelay=", "at 14 there is no value for nodelay; expected on or off"},
      {"idle=30", "\"30\" at 11" + idle},
      {"idle=s", "\"s\" at 11" + idle},
      {"idle=-1s", "\"-1s\" at 11" + idle},
      {"idle=1.5s", "\"1.5s\" at 11" + idle},
      {"idle=61m", "\"61m\" at 11" + idle},
      {"idle=1us", "\"1us\" at 11" + idle},
      {"idle=9999999999999999999h", "\"9999999999999999999h\" at 11" + idle},
      {"grace=1500ms", "\"1500ms\" at 12" + grace},
      {"grace=0", "\"0\" at 12" + grace},
      {"buffer=1KB", "\"1KB\" at 13" + buffer},
      {"buffer=KiB", "\"KiB\" at 13" + buffer},
      {"buffer=18446744073709551616", "\"18446744073709551616\" at 13" + buffer},
      {"buffer=18014398509481984KiB", "\"18014398509481984KiB\" at 13" + buffer},
      {"high=1023", "\"1023\" at 11" + high},
      {"high=2GiB", "\"2GiB\" at 11" + high},
      {"mode=0888", "\"0888\" at 11 is not a value for mode; expected an octal mode such as 0660"},
      {"mode=10000", "\"10000\" at 11 is not a value for mode; expected an octal mode such as 0660"},
      {"parity=mark", "\"mark\" at 13 is not a value for parity; expected one of none, even, odd"},
      {"name=a%00", "\"a%00\" at 11 is not a value for name; expected text without NUL"},
      {"arg=%00", "\"%00\" at 10 is not a value for arg; expected text without NUL"},
      {"window=1", "\"1\" at 13 is not a value for window; expected two digits"},
  };
  for (const auto& [options, message] : rows) CHECK(problem(options) == message);
}

TEST_CASE("an unknown option is refused with the list of known ones") {
  CHECK(problem("backlog=1&blacklog=2") ==
        "\"blacklog\" at 16 is not a known option; expected one of backlog, small, nodelay, idle, grace, buffer, mode, parity, name, arg, "
        "high, "
        "window");
  endpoint_error error;
  line_options into;
  CHECK_FALSE(option_table<line_options>().apply("stdio:?a=1", into, error));
  CHECK(error.message == "endpoint \"stdio:?a=1\": \"a\" at 7 is not a known option; expected none");
}

TEST_CASE("an option that is given twice is refused at the second place and names the first") {
  CHECK(problem("small=1&backlog=1&small=1") == "\"small\" at 24 is there already at 6; expected it once");
}

TEST_CASE("a refused endpoint leaves the options as they were") {
  line_options options;
  endpoint_error error;
  CHECK_FALSE(make_table().apply("test:?backlog=5&idle=x", options, error));
  CHECK(options.backlog == 100);
  CHECK_THROWS_AS(make_table().apply("test:?backlog=5&idle=x", options), bad_endpoint);
  CHECK(options.backlog == 100);
  CHECK(make_table().apply("test:?backlog=5", options, error));
  CHECK_FALSE(error);
  CHECK(options.backlog == 5);
}

TEST_CASE("a layer takes its own options and leaves the others for the scheme below") {
  option_table<line_options> layer;
  layer.text("cert", &line_options::name).texts("alpn", &line_options::args);
  option_table<line_options> below;
  below.integer("backlog", &line_options::backlog, 1, 65535);

  endpoint target("tls://h:1?cert=c.pem&backlog=9&alpn=a&alpn=b");
  line_options options;
  layer.take(target, options);
  CHECK(options.name == "c.pem");
  CHECK(options.args == std::vector<std::string>{"a", "b"});
  CHECK(target.to_string() == "tls://h:1?backlog=9");
  CHECK(below.read(target.with_scheme("tcp")).backlog == 9);

  endpoint mistaken("tls://h:1?crt=c.pem");
  layer.take(mistaken, options);
  endpoint_error error;
  CHECK_FALSE(below.apply(mistaken, options, error));
  CHECK(error.message == "endpoint \"tls://h:1?crt=c.pem\": \"crt\" at 10 is not a known option; expected one of cert, alpn, backlog");
}

TEST_CASE("a layer that refuses an option of its own leaves the endpoint as it was") {
  option_table<line_options> layer;
  layer.integer("backlog", &line_options::backlog, 1, 5);
  endpoint target("tls://h:1?backlog=9");
  line_options options;
  endpoint_error error;
  CHECK_FALSE(layer.take(target, options, error));
  CHECK(target == endpoint("tls://h:1?backlog=9"));
  CHECK_THROWS_AS(layer.take(target, options), bad_endpoint);
}

TEST_CASE("mistakes of a table's author are thrown when it is declared") {
  option_table<line_options> table;
  table.flag("nodelay", &line_options::nodelay);
  CHECK_THROWS_WITH_AS(table.flag("nodelay", &line_options::nodelay), "option \"nodelay\" is in the table already", std::invalid_argument);
  CHECK_THROWS_AS(table.integer("small", &line_options::small, 0, 256), std::invalid_argument);
  CHECK_THROWS_AS(table.integer("backlog", &line_options::backlog, 2, 1), std::invalid_argument);
  CHECK_THROWS_AS(table.duration("grace", &line_options::grace, 0s, 1000000h), std::invalid_argument);
  CHECK_THROWS_AS(table.size("small", &line_options::small, 0, 256), std::invalid_argument);
  CHECK_THROWS_AS(table.choice("parity", &line_options::check, {}), std::invalid_argument);
}
