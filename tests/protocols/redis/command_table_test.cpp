#include <sluice/redis/command_table.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice::redis;

namespace {

struct call {
  std::vector<std::string>& log;
};

const command_table<call>& commands() {
  static const command_table<call> table("", {{{"set", -3, "write denyoom", {1, 1, 1}}, [](call& c) { c.log.push_back("set"); }},
                                              {{"get", 2, "readonly fast", {1, 1, 1}}, [](call& c) { c.log.push_back("get"); }},
                                              {{"ping", -1}, [](call& c) { c.log.push_back("ping"); }}});
  return table;
}

const command_table<call>& subcommands() {
  static const command_table<call> table("client", {{{"setname", 3}, [](call& c) { c.log.push_back("setname"); }}});
  return table;
}

std::string run(const command_table<call>& table, std::vector<std::string_view> request) {
  std::vector<std::string> log;
  call made{log};
  std::string out;
  table.run(request, out, made);
  for (const auto& entry : log) out.append(entry);
  return out;
}

std::string describe(std::vector<std::string_view> request) {
  std::string out;
  commands().describe(request, out);
  return out;
}

}  // namespace

TEST_CASE("a request runs its command, whatever the case of its name") {
  CHECK(run(commands(), {"GET", "k"}) == "get");
  CHECK(run(commands(), {"sEt", "k", "v", "EX", "1"}) == "set");
  CHECK(run(commands(), {"ping"}) == "ping");
  CHECK(run(subcommands(), {"client", "SETNAME", "x"}) == "setname");
}

TEST_CASE("an unknown command is refused in the words of Redis, with at most 128 bytes of what the client said") {
  CHECK(run(commands(), {"foo"}) == "-ERR unknown command 'foo', with args beginning with: \r\n");
  CHECK(run(commands(), {"foo", "a", "b"}) == "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
  CHECK(run(commands(), {"a\r\nb", "\n"}) == "-ERR unknown command 'a  b', with args beginning with: ' ' \r\n");
  CHECK(run(commands(), {""}) == "-ERR unknown command '', with args beginning with: \r\n");
  CHECK(run(commands(), {"pin"}) == "-ERR unknown command 'pin', with args beginning with: \r\n");
  const std::string a(100, 'a');
  const std::string z(200, 'z');
  const auto expected =
      std::string("-ERR unknown command '").append(128, 'z').append("', with args beginning with: '").append(a).append("' '");
  CHECK(run(commands(), {z, a, z, "c"}) == std::string(expected).append(25, 'z').append("' \r\n"));
}

TEST_CASE("a wrong number of arguments is refused in the words of Redis") {
  CHECK(run(commands(), {"GET"}) == "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK(run(commands(), {"get", "a", "b"}) == "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK(run(commands(), {"set", "a"}) == "-ERR wrong number of arguments for 'set' command\r\n");
  CHECK(run(subcommands(), {"client"}) == "-ERR wrong number of arguments for 'client' command\r\n");
  CHECK(run(subcommands(), {"client", "setname"}) == "-ERR wrong number of arguments for 'client|setname' command\r\n");
}

TEST_CASE("an unknown subcommand is refused in the words of Redis") {
  CHECK(run(subcommands(), {"CLIENT", "Foo", "x"}) == "-ERR unknown subcommand 'Foo'. Try CLIENT HELP.\r\n");
  const std::string z(200, 'z');
  CHECK(run(subcommands(), {"client", z}) == std::string("-ERR unknown subcommand '").append(128, 'z').append("'. Try CLIENT HELP.\r\n"));
}

TEST_CASE("COMMAND tells of all commands, or of those that are asked for") {
  const std::string get = "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n";
  CHECK(describe({"command", "info", "GET", "nothing"}) == std::string("*2\r\n").append(get).append("$-1\r\n"));
  CHECK(describe({"command"}).starts_with(std::string("*3\r\n").append(get)));
  CHECK(describe({"command", "info"}) == describe({"command"}));
  CHECK(describe({"command", "COUNT"}) == ":3\r\n");
  CHECK(describe({"command", "list"}) == "*3\r\n$3\r\nget\r\n$4\r\nping\r\n$3\r\nset\r\n");
  CHECK(describe({"command", "docs", "get", "nothing"}) == "*2\r\n$3\r\nget\r\n*0\r\n");
  CHECK(describe({"command", "foo"}) == "-ERR unknown subcommand 'foo'. Try COMMAND HELP.\r\n");
  CHECK(describe({"command", "count", "x"}) == "-ERR wrong number of arguments for 'command|count' command\r\n");
}

TEST_CASE("a keyword is compared in any case and in whole") {
  CHECK(is_keyword("mAtCh", "match"));
  CHECK(!is_keyword("match ", "match"));
  CHECK(!is_keyword("", "match"));
}
