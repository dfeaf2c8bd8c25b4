#include <sluice/redis/session.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;
using redis::session;
using redis::session_list;

namespace {

class fake_session final : public session {
 public:
  explicit fake_session(std::string_view from) {
    address = from;
    local_address = "127.0.0.1:6379";
  }
  void writev(std::span<const const_bytes> chunks) override {
    for (const auto chunk : chunks) written.append(as_text(chunk));
  }
  void end() override { fate = "ended"; }
  void kill() override { fate = "killed"; }
  std::size_t unsent() const override { return 7; }

  std::string written;
  std::string fate = "open";
};

struct fixture {
  fixture() {
    list.add(one, 1s);
    list.add(two, 2s);
  }

  std::string client(fake_session& asking, std::vector<std::string_view> arguments) {
    arguments.insert(arguments.begin(), "CLIENT");
    asking.written.clear();
    list.client(asking, arguments, 5s);
    return asking.written;
  }
  std::string hello(std::vector<std::string_view> arguments) {
    arguments.insert(arguments.begin(), "HELLO");
    one.written.clear();
    list.hello(one, arguments);
    return one.written;
  }

  session_list list{"test", "1.2.3"};
  fake_session one{"10.0.0.1:1"};
  fake_session two{"10.0.0.2:2"};
};

constexpr auto first_line =
    "id=1 addr=10.0.0.1:1 laddr=127.0.0.1:6379 name= age=4 idle=4 flags=N db=0 omem=7 cmd= user=default lib-name= lib-ver= resp=2\n";

std::string bulk(std::string_view text) {
  std::string out;
  redis::write_bulk(out, text);
  return out;
}

}  // namespace

TEST_CASE("sessions are counted and numbered from 1, and a number is not used again") {
  fixture f;
  CHECK(f.list.size() == 2);
  f.list.remove(f.two);
  fake_session three("10.0.0.3:3");
  f.list.add(three, 3s);
  CHECK(three.id == 3);
  CHECK(f.list.size() == 2);
  CHECK(f.list.total() == 3);
  CHECK(f.client(three, {"id"}) == ":3\r\n");
}

TEST_CASE("HELLO tells of version 2 and refuses the others as Redis refuses one that it does not know") {
  fixture f;
  const std::string reply =
      "*14\r\n$6\r\nserver\r\n$4\r\ntest\r\n$7\r\nversion\r\n$5\r\n1.2.3\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n"
      "$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
  CHECK(f.hello({}) == reply);
  CHECK(f.hello({"2"}) == reply);
  CHECK(f.hello({"3"}) == "-NOPROTO unsupported protocol version\r\n");
  CHECK(f.hello({"1"}) == "-NOPROTO unsupported protocol version\r\n");
  CHECK(f.hello({"x"}) == "-ERR Protocol version is not an integer or out of range\r\n");
  CHECK(f.hello({"2", "setname"}) == "-ERR Syntax error in HELLO option 'setname'\r\n");
  CHECK(f.hello({"2", "nope", "x"}) == "-ERR Syntax error in HELLO option 'nope'\r\n");
  CHECK(f.hello({"2", "SETNAME", "me"}) == reply);
  CHECK(f.one.name == "me");
  CHECK(f.hello({"2", "SETNAME", "a b"}) == "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
}

TEST_CASE("a client can be named, and tells of its library") {
  fixture f;
  CHECK(f.client(f.one, {"getname"}) == "$-1\r\n");
  CHECK(f.client(f.one, {"setname", "me"}) == "+OK\r\n");
  CHECK(f.client(f.one, {"getname"}) == "$2\r\nme\r\n");
  CHECK(f.client(f.one, {"setname", "a\nb"}) == "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  CHECK(f.client(f.one, {"setname", ""}) == "+OK\r\n");
  CHECK(f.client(f.one, {"getname"}) == "$-1\r\n");
  CHECK(f.client(f.one, {"SETINFO", "LIB-NAME", "py"}) == "+OK\r\n");
  CHECK(f.client(f.one, {"setinfo", "lib-ver", "5"}) == "+OK\r\n");
  CHECK(f.client(f.one, {"setinfo", "lib-ver", "a b"}) == "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n");
  CHECK(f.client(f.one, {"setinfo", "nope", "x"}) == "-ERR Unrecognized option 'nope'\r\n");
  CHECK(f.client(f.one, {"info"}).find(" lib-name=py lib-ver=5 ") != std::string::npos);
}

TEST_CASE("LIST shows every session, or those that are asked for") {
  fixture f;
  const std::string_view request[] = {"GET", "k"};
  f.list.note(f.two, request, 3s);
  const std::string second_line =
      "id=2 addr=10.0.0.2:2 laddr=127.0.0.1:6379 name= age=3 idle=2 flags=N db=0 omem=7 cmd=GET user=default lib-name= lib-ver= resp=2\n";
  CHECK(f.client(f.one, {"list"}) == bulk(first_line + second_line));
  CHECK(f.client(f.one, {"list", "TYPE", "normal"}) == bulk(first_line + second_line));
  CHECK(f.client(f.one, {"list", "type", "pubsub"}) == bulk(""));
  CHECK(f.client(f.one, {"list", "ID", "2", "9", "-1"}) == bulk(second_line));
  CHECK(f.client(f.one, {"list", "id", "x"}) == "-ERR Invalid client ID\r\n");
  CHECK(f.client(f.one, {"list", "type", "foo"}) == "-ERR Unknown client type 'foo'\r\n");
  CHECK(f.client(f.one, {"list", "foo"}) == "-ERR syntax error\r\n");
  CHECK(f.client(f.one, {"list", "id"}) == "-ERR syntax error\r\n");
  CHECK(f.client(f.one, {"info"}) == bulk(first_line));
}

TEST_CASE("KILL by address answers OK, and the one that asks gets its answer") {
  fixture f;
  CHECK(f.client(f.one, {"kill", "10.0.0.9:9"}) == "-ERR No such client\r\n");
  CHECK(f.client(f.one, {"kill", "10.0.0.2:2"}) == "+OK\r\n");
  CHECK(f.two.fate == "killed");
  CHECK(f.client(f.one, {"kill", "10.0.0.1:1"}) == "+OK\r\n");
  CHECK(f.one.fate == "ended");
}

TEST_CASE("KILL by filters answers how many, and spares the one that asks unless told otherwise") {
  fixture f;
  CHECK(f.client(f.one, {"kill", "id", "9"}) == ":0\r\n");
  CHECK(f.client(f.one, {"kill", "id", "1"}) == ":0\r\n");
  CHECK(f.client(f.one, {"kill", "addr", "10.0.0.2:2", "id", "1", "skipme", "no"}) == ":0\r\n");
  CHECK(f.client(f.one, {"kill", "type", "pubsub", "laddr", "127.0.0.1:6379"}) == ":0\r\n");
  CHECK(f.two.fate == "open");
  CHECK(f.client(f.one, {"kill", "LADDR", "127.0.0.1:6379"}) == ":1\r\n");
  CHECK(f.two.fate == "killed");
  CHECK(f.one.fate == "open");
  CHECK(f.client(f.one, {"kill", "user", "default", "skipme", "NO"}) == ":2\r\n");
  CHECK(f.one.fate == "ended");
}

TEST_CASE("KILL refuses what it does not know in the words of Redis") {
  fixture f;
  CHECK(f.client(f.one, {"kill", "id", "x"}) == "-ERR client-id should be greater than 0\r\n");
  CHECK(f.client(f.one, {"kill", "id", "1", "skipme", "maybe"}) == "-ERR syntax error\r\n");
  CHECK(f.client(f.one, {"kill", "foo", "bar"}) == "-ERR syntax error\r\n");
  CHECK(f.client(f.one, {"kill", "id", "2", "addr"}) == "-ERR syntax error\r\n");
  CHECK(f.client(f.one, {"kill", "type", "foo"}) == "-ERR Unknown client type 'foo'\r\n");
  CHECK(f.client(f.one, {"kill", "user", "nobody"}) == "-ERR No such user 'nobody'\r\n");
  CHECK(f.client(f.one, {"kill"}) == "-ERR wrong number of arguments for 'client|kill' command\r\n");
  CHECK(f.client(f.one, {"foo"}) == "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n");
}
