#include <sluice/activation.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "local/passed_descriptors.hpp"
#include "process_kit.hpp"
#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;

namespace {

using passed = std::vector<std::pair<std::string, int>>;

constexpr pid_t self = 4711;

passed parse(const char* pid, const char* count, const char* names) {
  passed result;
  for (auto& each : detail::parse_passed({pid, count, names}, self)) result.emplace_back(std::move(each.name), each.number);
  return result;
}

void check_refused(const char* pid, const char* count, const char* names, const std::string& problem) {
  CHECK_THROWS_WITH_AS(parse(pid, count, names), doctest::Contains(problem.c_str()), std::system_error);
}

const address any_port = address::loopback_v4(0);

std::string ask(const address& at) {
  raw_socket client = raw_socket::connected_to(at);
  client.send("?");
  return client.receive_all();
}

// The program that serves what was passed to it, with two sockets called "web" and one called "admin".
struct site {
  explicit site(std::vector<std::string> words, std::string names = "web:admin:web")
      : process([&] {
          words.insert(words.begin(), program_beside("passed_server"));
          return activated_process::request{words,
                                            {web.get(), admin.get(), other_web.get()},
                                            {{"LISTEN_PID", "{pid}"}, {"LISTEN_FDS", "3"}, {"LISTEN_FDNAMES", std::move(names)}}};
        }()) {}

  temporary_folder folder;
  raw_socket web = raw_socket::listening_at(any_port);
  raw_socket other_web = raw_socket::listening_at({"::1", 0});
  raw_socket admin = raw_socket::listening_at(address::unix_path(folder / "x.sock"));
  activated_process process;
};

}  // namespace

TEST_CASE("S12 the variables of socket activation are read as sd_listen_fds reads them") {
  CHECK(parse("4711", "2", "web:admin") == passed{{"web", 3}, {"admin", 4}});
  CHECK(parse("4711", "3", "a::b") == passed{{"a", 3}, {"", 4}, {"b", 5}});
  CHECK(parse("4711", "2", nullptr) == passed{{"unknown", 3}, {"unknown", 4}});
  CHECK(parse("4711", "1", "") == passed{{"", 3}});
  CHECK(parse("4711", "0", "").empty());
  CHECK(parse(nullptr, "1", "web").empty());
  CHECK(parse("4711", nullptr, "web").empty());
  CHECK(parse("4712", "1", "web").empty());  // a child's, or a parent's
}

TEST_CASE("S12 variables that make no sense are refused by name, with what would be right") {
  check_refused("me", "1", nullptr, "LISTEN_PID is \"me\"; expected the number of a process");
  check_refused("-1", "1", nullptr, "LISTEN_PID is \"-1\"; expected");
  check_refused("4711", "many", nullptr, "LISTEN_FDS is \"many\"; expected how many descriptors are passed, at most 65536");
  check_refused("4711", "-2", nullptr, "LISTEN_FDS is \"-2\"");
  check_refused("4711", "2000000000", nullptr, "LISTEN_FDS is \"2000000000\"");
  check_refused("4711", "2", "web", "LISTEN_FDNAMES is \"web\"; expected 2 names with colons between, as LISTEN_FDS says");
  check_refused("4711", "1", "web:admin", "LISTEN_FDNAMES is \"web:admin\"; expected 1 names");
}

TEST_CASE("S12 a process to which nothing was passed has nothing to take") {
  CHECK(activation::passed().empty());
  CHECK(activation::take("web").empty());
}

TEST_CASE("S12 fd://NAME serves every socket of that name, and each descriptor is taken once") {
  site here({"left", "fd://web", "left", "fd://web", "fd://admin", "left"});
  const address web = here.web.local_address();
  const address other = here.other_web.local_address();
  const address admin = here.admin.local_address();
  for (raw_socket* each : {&here.web, &here.other_web, &here.admin}) each->close();  // only the other process has them now
  CHECK(here.process.read_line() == "left: web=3 admin=4 web=5");
  CHECK(here.process.read_line() == "fd://web serves at " + web.to_string() + ' ' + other.to_string());
  CHECK(here.process.read_line() == "left: admin=4");
  CHECK(here.process.read_line() ==
        "endpoint \"fd://web\": \"web\" at 5 is not the name of a descriptor that was passed to this process and is not taken; "
        "expected one of admin");
  CHECK(here.process.read_line() == "fd://admin serves at " + admin.to_string());
  CHECK(here.process.read_line() == "left:");
  CHECK(here.process.read_line() == "running");
  const std::string number = std::to_string(here.process.number()) + '\n';
  for (const address& each : {web, other, admin}) CHECK(ask(each) == number);
  CHECK(here.process.stop() == 0);
  CHECK_THROWS_AS(raw_socket::connected_to(web), std::system_error);
  CHECK(std::filesystem::is_socket(admin.path()));  // whoever made the file removes it
}

TEST_CASE("S12 fd://NUMBER serves a socket that was passed, with the options of its kind") {
  site here({"fd://5?nodelay=off&max_connections=10", "fd://4", "left", "fd://5"});
  CHECK(here.process.read_line() == "fd://5?nodelay=off&max_connections=10 serves at " + here.other_web.local_address().to_string());
  CHECK(here.process.read_line() == "fd://4 serves at " + here.admin.local_address().to_string());
  CHECK(here.process.read_line() == "left: web=3");
  CHECK(here.process.read_line() == "endpoint \"fd://5\": \"5\" at 5 was taken already; expected each descriptor once");
  CHECK(here.process.read_line() == "running");
  CHECK(ask(here.other_web.local_address()) == std::to_string(here.process.number()) + '\n');
  CHECK(here.process.stop() == 0);
}

TEST_CASE("S12 fd://NUMBER takes over a listening socket that was inherited without a word") {
  const raw_socket socket = raw_socket::listening_at(any_port);
  activated_process process({{program_beside("passed_server"), "fd://3", "fd://3?nodelay=off"}, {socket.get()}});
  CHECK(process.read_line() == "fd://3 serves at " + socket.local_address().to_string());
  CHECK(process.read_line().ends_with("was taken already; expected each descriptor once"));
  CHECK(process.read_line() == "running");
  CHECK(ask(socket.local_address()) == std::to_string(process.number()) + '\n');
  CHECK(process.stop() == 0);
}

TEST_CASE("S12 a descriptor that is no listening socket, and a name that nobody passed, are refused where they stand") {
  const raw_socket idle = raw_socket::bound_to(any_port);
  const raw_socket datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const descriptor ends[] = {descriptor(pipe[0]), descriptor(pipe[1])};
  activated_process process({{program_beside("passed_server"), "fd://3", "fd://4", "fd://5", "fd://99", "fd://web", "fd://", "fd:3",
                              "fd://3:4", "fd://3/x", "fd://3?colour=red"},
                             {idle.get(), datagrams.get(), pipe[0]}});
  const std::string no_socket = " is not a listening stream socket: ";
  CHECK(process.read_line() == "endpoint \"fd://3\": \"3\" at 5" + no_socket + "EINVAL: invalid argument");
  CHECK(process.read_line() == "endpoint \"fd://4\": \"4\" at 5" + no_socket + "EPROTOTYPE: protocol wrong type for socket");
  CHECK(process.read_line() == "endpoint \"fd://5\": \"5\" at 5" + no_socket + "ENOTSOCK: socket operation on non-socket");
  CHECK(process.read_line() == "endpoint \"fd://99\": \"99\" at 5" + no_socket + "EBADF: bad file descriptor");
  CHECK(process.read_line() ==
        "endpoint \"fd://web\": \"web\" at 5 is not the name of a descriptor that was passed to this process; there is none, or none "
        "that is not taken");
  const std::string form = " is not the number or the name of a descriptor; expected a form such as fd://3 or fd://NAME";
  CHECK(process.read_line() == "endpoint \"fd://\": \"//\" at 3" + form);
  CHECK(process.read_line() == "endpoint \"fd:3\": \"3\" at 3" + form);
  CHECK(process.read_line() == "endpoint \"fd://3:4\": \"//3:4\" at 3" + form);
  CHECK(process.read_line() == "endpoint \"fd://3/x\": \"//3/x\" at 3" + form);
}

TEST_CASE("S12 one name for sockets of different kinds is refused") {
  site here({"fd://web"}, "web:web:web");
  CHECK(here.process.read_line() ==
        "endpoint \"fd://web\": \"web\" at 5 is the name of TCP and of Unix sockets; expected a name for each kind");
}

TEST_CASE("S12 variables that make no sense end in an error for whoever asks") {
  activated_process process({{program_beside("passed_server"), "fd://web"}, {}, {{"LISTEN_PID", "{pid}"}, {"LISTEN_FDS", "x"}}});
  CHECK(process.read_line().starts_with("LISTEN_FDS is \"x\"; expected how many descriptors are passed"));
}
