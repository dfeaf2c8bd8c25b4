#include <sluice/schemes.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/resolver.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "server_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

namespace {

// Both ends of one connection, made from two endpoint strings.
struct site {
  site() {
    scheduler.on_error([](const error_event& event) { FAIL_CHECK(describe(event)); });
  }

  std::unique_ptr<server> listen(const std::string& at) {
    return sluice::listen(scheduler, at, [this] { return borrow(end); });
  }
  connecting connect(const std::string& to) {
    return sluice::connect(
        scheduler, to, [this] { return borrow(client); },
        [this](const result<transport&>& outcome) { client.note(outcome ? "connected" : outcome.detail()); });
  }
  bool run_until_both_made() {
    return run_until(scheduler, [this] { return end.connection() != nullptr && client.connection() != nullptr; });
  }
  void end_all() {
    scheduler.for_each_transport([](transport& each) { each.abort(); });
    run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }
  recording_protocol end, client;
  loop scheduler;
};

// Both functions refuse `text` with `problem`, which stands behind the quoted text.
void check_refused(const std::string& text, const std::string& problem) {
  CAPTURE(text);
  site here;
  const std::string message = "endpoint \"" + text + "\": " + problem;
  CHECK_THROWS_WITH_AS(here.listen(text), message.c_str(), bad_endpoint);
  CHECK_THROWS_WITH_AS((void)here.connect(text), message.c_str(), bad_endpoint);
}

std::string tcp_at(const address& at, const std::string& options = "") { return "tcp://" + at.to_string() + options; }

}  // namespace

TEST_CASE("the library's table knows the schemes that it documents") {
  CHECK(transport_schemes().names() ==
        "tcp, unix, unix-abstract, fd, stdio, fifo, exec, serial, pty, udp, unix-dgram, unix-dgram-abstract");
}

TEST_CASE("a server and a client meet at an endpoint of each kind") {
  const descriptor_balance balance;
  const temporary_folder folder;
  const std::string name = "sluice-schemes-" + std::to_string(::getpid());
  struct row {
    std::string at;
    std::string kind;
  };
  const row rows[] = {{"tcp://127.0.0.1:0", "tcp"},          {"TCP://[::1]:0", "tcp"},
                      {"unix:" + folder / "x.sock", "unix"}, {"unix://" + folder / "with%20blank.sock", "unix"},
                      {"unix-abstract:" + name, "unix"},     {"unix-abstract:%00" + name, "unix"}};
  for (const row& each : rows) {
    CAPTURE(each.at);
    site here;
    const auto server = here.listen(each.at);
    CHECK(server->is_serving());
    REQUIRE(server->sockets().size() == 1);
    const address bound = server->sockets().front();
    const connecting attempt = here.connect(endpoint(each.at).with_port(bound.port()).to_string());
    REQUIRE(here.run_until_both_made());
    CHECK(here.client.connection()->info<peer_address>()->value == bound);
    CHECK(here.client.connection()->info<transport_kind>()->value == each.kind);
    here.end_all();
  }
}

TEST_CASE("options of a stream are those of its connections, on both sides") {
  const descriptor_balance balance;
  site here;
  const std::string options =
      "?high=4096&low=1KiB&max_write_buffer=1MiB&close_timeout=5s&linger=0&first_byte=9s&idle=30s&write_stall=20s&lifetime=24h";
  const auto server = here.listen("tcp://127.0.0.1:0" + options);
  const connecting attempt = here.connect(tcp_at(server->sockets()[0], options));
  REQUIRE(here.run_until_both_made());
  for (const recording_protocol* each : {&here.end, &here.client}) {
    const stream_options& now = each->connection()->options();
    CHECK(now.write_buffer.high == 4096);
    CHECK(now.write_buffer.low == 1024);
    CHECK(now.max_write_buffer == 1024 * 1024);
    CHECK(now.close_timeout == 5s);
    CHECK(now.linger == 0s);
    CHECK(now.first_byte_timeout == 9s);
    CHECK(now.idle_timeout == 30s);
    CHECK(now.write_stall_timeout == 20s);
    CHECK(now.lifetime == 24h);
  }
  here.end_all();
}

TEST_CASE("F2 one of the two marks brings the other along") {
  const descriptor_balance balance;
  struct row {
    const char* options;
    std::size_t high;
    std::size_t low;
  };
  for (const row& each : {row{"?high=400", 400, 100}, row{"?low=400", 1600, 400}, row{"?high=0", 0, 0}, row{"", 65536, 16384}}) {
    CAPTURE(each.options);
    site here;
    const auto server = here.listen(std::string("tcp://127.0.0.1:0") + each.options);
    const connecting attempt = here.connect(tcp_at(server->sockets()[0]));
    REQUIRE(here.run_until_both_made());
    CHECK(here.end.connection()->get_write_buffer_limits().high == each.high);
    CHECK(here.end.connection()->get_write_buffer_limits().low == each.low);
    here.end_all();
  }
}

TEST_CASE("the options of tcp reach the system") {
  const descriptor_balance balance;
  site here;
  const auto slow = here.listen("tcp://127.0.0.1:0?nodelay=off&backlog=5");
  const connecting attempt = here.connect(tcp_at(slow->sockets()[0], "?nodelay=no"));
  REQUIRE(here.run_until_both_made());
  for (const recording_protocol* each : {&here.end, &here.client}) {
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(::getsockopt(each->connection()->info<native_descriptor>()->value, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0);
    CHECK(value == 0);
  }
  here.end_all();
}

TEST_CASE("the option reuse_port lets two servers share a port") {
  const descriptor_balance balance;
  site here;
  const auto first = here.listen("tcp://127.0.0.1:0?reuse_port=on");
  const std::string taken = tcp_at(first->sockets()[0]);
  const auto second = here.listen(taken + "?reuse_port=on");
  CHECK(first->sockets() == second->sockets());
  const std::string message = "listening on " + taken.substr(6) + ": EADDRINUSE: address already in use";
  CHECK_THROWS_WITH_AS(here.listen(taken), message.c_str(), std::system_error);
}

TEST_CASE("the option ipv6_only, off, lets IPv4 clients in") {
  const descriptor_balance balance;
  site here;
  const auto six = here.listen("tcp://[::]:0");
  CHECK_THROWS_AS(raw_socket::connected_to({"127.0.0.1", six->sockets()[0].port()}), std::system_error);
  const auto both = here.listen("tcp://[::]:0?ipv6_only=off");
  const raw_socket four = raw_socket::connected_to({"127.0.0.1", both->sockets()[0].port()});
  CHECK(run_until(here.scheduler, [&] { return here.end.connection() != nullptr; }));
  here.end_all();
}

TEST_CASE("S6 tcp without a host is every interface, or that of the family") {
  const descriptor_balance balance;
  site here;
  const auto both = here.listen("tcp://:0");
  CHECK(both->sockets() == std::vector{address::any_v4(both->sockets()[0].port()), address::any_v6(both->sockets()[0].port())});
  CHECK(here.listen("tcp://:0?family=ipv4")->sockets()[0].with_port(0) == address::any_v4(0));
  CHECK(here.listen("tcp://:0?family=ipv6")->sockets()[0].with_port(0) == address::any_v6(0));
  CHECK_THROWS_WITH_AS((void)here.connect("tcp://:80"), doctest::Contains("\"tcp://:80\": at 6 there is no host; expected a form such as"),
                       bad_endpoint);
}

TEST_CASE("S1 S14 the options of servers reach them") {
  const descriptor_balance balance;
  const temporary_folder folder;
  server_site here;
  const auto listen = [&](const std::string& at) { return sluice::listen(here.scheduler, at, here.factory()); };
  const auto limited = listen("tcp://127.0.0.1:0?max_connections=1");
  const raw_socket first = raw_socket::connected_to(limited->sockets()[0]);
  CHECK(run_until(here.scheduler, [&] { return limited->counters().limit_pauses == 1; }));
  const auto refused = [&](const std::string& options) {
    const auto server = listen("tcp://127.0.0.1:0" + options);
    raw_socket client = raw_socket::connected_to(server->sockets()[0]);
    const server_counters& counters = server->counters();
    run_until(here.scheduler, [&] { return counters.accepted + counters.refused_by_network + counters.refused_by_peer_limit == 1; });
    return counters.refused_by_network;
  };
  CHECK(refused("?allow=10.0.0.0/8,::1") == 1);
  CHECK(refused("?deny=10.0.0.0/8,127.0.0.0/8") == 1);
  const auto per_peer = listen("tcp://127.0.0.1:0?max_connections_per_peer=1&allow=127.0.0.1");
  const raw_socket clients[] = {raw_socket::connected_to(per_peer->sockets()[0]), raw_socket::connected_to(per_peer->sockets()[0])};
  CHECK(run_until(here.scheduler, [&] { return per_peer->counters().refused_by_peer_limit == 1; }));
  here.end_all();

  for (const std::string& at : {std::string("tcp://127.0.0.1:0"), "unix:" + (folder / "x.sock"), "unix-abstract:sluice-" + folder.name()}) {
    const auto waiting = listen(at + "?start_serving=off&max_connections=5");
    CHECK_FALSE(waiting->is_serving());
    CHECK_THROWS_AS(raw_socket::connected_to(waiting->sockets()[0]), std::system_error);
    waiting->start_serving();
    CHECK(raw_socket::connected_to(waiting->sockets()[0]).get() >= 0);
    waiting->close(waiting_clients::refuse);
  }
}

TEST_CASE("S13 the file of a unix endpoint is given to a user and a group, by name or number, and may stay") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const std::string path = folder / "x.sock";
  const auto own = std::to_string(::geteuid());
  struct stat found {};
  here.listen("unix:" + path + "?remove_file=off&user=" + own + "&group=" + std::to_string(::getegid()))->close();
  REQUIRE(::stat(path.c_str(), &found) == 0);
  CHECK(found.st_uid == ::geteuid());
  if (::geteuid() != 0) return;
  const auto server = here.listen("unix:" + path + "?user=daemon&group=daemon");
  REQUIRE(::stat(path.c_str(), &found) == 0);
  CHECK(found.st_uid == 1);
  CHECK(found.st_gid == 1);
}

TEST_CASE("the option connect_timeout ends an attempt that gets no answer") {
  const descriptor_balance balance;
  site here;
  const raw_socket listener = raw_socket::listening_at(address::loopback_v4(0), 0);
  const raw_socket only_guest = raw_socket::connected_to(listener.local_address());
  const connecting attempt = here.connect(tcp_at(listener.local_address(), "?connect_timeout=20ms"));
  CHECK(run_until(here.scheduler, [&] { return !here.client.events().empty(); }));
  CHECK(here.client.events().front() == "connecting to " + listener.local_address().to_string() + ": a deadline passed");
}

TEST_CASE("N1 tcp endpoints name hosts: a server listens on each address of the name, a client tries them") {
  const descriptor_balance balance;
  site here;
  const auto server = here.listen("tcp://localhost:0");
  const std::vector<address> bound = server->sockets();
  REQUIRE_FALSE(bound.empty());
  for (const address& each : bound) {
    CHECK(each.is_loopback());
    CHECK(each.port() == bound.front().port());
  }
  const connecting attempt = here.connect("tcp://LOCALHOST:" + std::to_string(bound.front().port()));
  REQUIRE(here.run_until_both_made());
  CHECK(here.client.connection()->info<peer_address>()->value == bound.front());
  here.end_all();
}

TEST_CASE("N5 a name that is not known is told by the completion") {
  const descriptor_balance balance;
  site here;
  resolver::of(here.scheduler).set_options({.lookup = [](const std::string&, ip_family, std::error_code& error) {
    error = resolver_errc::unknown_name;
    return std::vector<address>();
  }});
  const connecting attempt = here.connect("tcp://nowhere.example:80");
  CHECK(run_until(here.scheduler, [&] { return !here.client.events().empty(); }));
  CHECK(here.client.events().front() == "connecting to nowhere.example:80: no address for nowhere.example: the name is not known");
}

TEST_CASE("the options of a tcp client reach the attempt") {
  const descriptor_balance balance;
  site here;
  ip_family asked = ip_family::any;
  const auto server = here.listen("tcp://127.0.0.1:0");
  const address bound = server->sockets()[0];
  resolver::of(here.scheduler).set_options({.lookup = [&](const std::string&, ip_family family, std::error_code&) {
    asked = family;
    return std::vector{address("::1", bound.port()), bound};
  }});
  const connecting attempt = here.connect("tcp://there:80?family=ipv4&local=127.0.0.2&attempt_delay=0&first_family_count=3");
  REQUIRE(here.run_until_both_made());
  CHECK(asked == ip_family::v4);
  CHECK(here.end.connection()->info<peer_address>()->value.host() == "127.0.0.2");
  here.end_all();
}

TEST_CASE("the options of unix reach the file") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const std::string path = folder / "x.sock";
  const auto server = here.listen("unix:" + path + "?mode=0640&backlog=7");
  struct stat found {};
  CHECK(::stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0640);
  const std::string stale = folder / "stale.sock";
  raw_socket::listening_at(address::unix_path(stale)).close();
  CHECK_THROWS_AS(here.listen("unix:" + stale + "?remove_stale=off"), std::system_error);
  CHECK(here.listen("unix:" + stale) != nullptr);
}

TEST_CASE("an unknown scheme is refused with those that are known") {
  check_refused(
      "tpc://127.0.0.1:80",
      "\"tpc\" at 0 is not a scheme that this program knows; it knows tcp, unix, unix-abstract, fd, stdio, fifo, exec, serial, pty, "
      "udp, unix-dgram, unix-dgram-abstract");
}

TEST_CASE("a tcp endpoint needs a host and a port, and nothing else") {
  const std::string form = "; expected a form such as tcp://127.0.0.1:7000";
  check_refused("tcp://", "at 6 there is no host" + form);
  check_refused("tcp://:80/index.html", "at 6 there is no host" + form);
  check_refused("tcp://127.0.0.1", "at 15 there is no port" + form);
  check_refused("tcp:127.0.0.1", "\"127.0.0.1\" at 4 is not a host and a port" + form);
  check_refused("tcp://127.0.0.1:80/index.html", "\"/index.html\" at 18 is a path, which tcp does not have" + form);
  const std::string host = "is neither an address nor a host name; expected one such as 127.0.0.1, [::1] or localhost";
  check_refused("tcp://127.0.0.256:80", "\"127.0.0.256\" at 6 " + host);
  check_refused("tcp://1.2.3:80", "\"1.2.3\" at 6 " + host);
  check_refused("tcp://a..b:80", "\"a..b\" at 6 " + host);
  check_refused("tcp://[fe80::1%nosuchinterface]:80",
                "\"fe80::1%nosuchinterface\" at 7 has a scope that this machine does not have; expected the name or the number of an "
                "interface behind \"%\"");
  check_refused("tcp://127.0.0.1:80?family=ipv6", "\"ipv6\" at 26 is not the family of the host; expected that, or any");
  check_refused("tcp://[::1]:80?family=ipv4", "\"ipv4\" at 22 is not the family of the host; expected that, or any");
}

TEST_CASE("a client needs the port of its server") {
  site here;
  CHECK_THROWS_WITH_AS((void)here.connect("tcp://127.0.0.1:0"),
                       "endpoint \"tcp://127.0.0.1:0\": \"0\" at 16 is no port to connect to; expected a number from 1 to 65535",
                       bad_endpoint);
}

TEST_CASE("a unix endpoint needs a path that a socket can have") {
  const std::string form = "; expected a form such as unix:/run/name.sock";
  check_refused("unix:", "at 5 there is nothing" + form);
  check_refused("unix://host/x.sock", "\"host\" at 7 is a host, which unix does not have" + form);
  check_refused("unix:/x%00y", "\"/x%00y\" at 5 holds a zero byte; expected a path without one");
  const std::string limit = std::to_string(address::max_unix_name());
  const std::string path = '/' + std::string(address::max_unix_name(), 'p');
  site here;
  try {
    here.listen("unix:" + path);
    FAIL_CHECK("nothing was thrown");
  } catch (const bad_endpoint& error) {
    CHECK(error.error().offset == 5);
    CHECK(error.error().length == path.size());
    CHECK(std::string(error.what()).ends_with(" at 5 is too long for the name of a socket; expected at most " + limit + " bytes"));
  }
}

TEST_CASE("an abstract endpoint needs a name that is not too long") {
  check_refused("unix-abstract:", "at 14 there is nothing; expected a form such as unix-abstract:name");
  check_refused("unix-abstract://host",
                "\"host\" at 16 is a host, which unix-abstract does not have; expected a form such as unix-abstract:name");
  site here;
  CHECK_THROWS_WITH_AS(here.listen("unix-abstract:" + std::string(200, 'n')), doctest::Contains("is too long for the name of a socket"),
                       bad_endpoint);
}

TEST_CASE("fd is for listening only") {
  site here;
  CHECK_THROWS_WITH_AS((void)here.connect("fd://3"), "endpoint \"fd://3\": \"fd\" at 0 cannot be connected to; it is for listening only",
                       bad_endpoint);
}

TEST_CASE("a bad option is refused at its place, with what it would have to be") {
  const std::string common =
      "first_byte, idle, write_stall, lifetime, high, low, max_write_buffer, max_receive, close_timeout, linger, backlog, start_serving, "
      "max_connections, connect_timeout";
  const std::string local = common + ", receive_descriptors";
  check_refused("tcp://127.0.0.1:0?colour=red", "\"colour\" at 18 is not a known option; expected one of " + common +
                                                    ", nodelay, reuse_port, ipv6_only, attempt_delay, first_family_count, family, "
                                                    "max_connections_per_peer, allow, deny, local");
  check_refused("unix:/x?nodelay=on",
                "\"nodelay\" at 8 is not a known option; expected one of " + local + ", mode, user, group, remove_stale, remove_file");
  check_refused("unix-abstract:x?mode=0600", "\"mode\" at 16 is not a known option; expected one of " + local);
  check_refused("tcp://127.0.0.1:0?backlog=0", "\"0\" at 26 is not a value for backlog; expected a number from 1 to 65535");
  check_refused("tcp://127.0.0.1:0?backlog=ten", "\"ten\" at 26 is not a value for backlog; expected a number from 1 to 65535");
  check_refused("tcp://127.0.0.1:0?nodelay=", "at 26 there is no value for nodelay; expected on or off");
  check_refused("tcp://127.0.0.1:0?nodelay=on&nodelay=on", "\"nodelay\" at 29 is there already at 18; expected it once");
  check_refused("tcp://127.0.0.1:0?close_timeout=10",
                "\"10\" at 32 is not a value for close_timeout; expected a duration from 0 to 24h, such as 30s or 250ms");
  check_refused("tcp://127.0.0.1:0?linger=2h",
                "\"2h\" at 25 is not a value for linger; expected a duration from 0 to 1h, such as 30s or 250ms");
  check_refused("tcp://127.0.0.1:0?high=64kb", "\"64kb\" at 23 is not a value for high; expected a size such as 65536, 64KiB or 1MiB");
  check_refused("tcp://there:1?family=four", "\"four\" at 21 is not a value for family; expected one of any, ipv4, ipv6");
  for (const char* wrong : {"there", "127.0.0.1:x", "unix:/x"})
    check_refused("tcp://there:1?local=" + std::string(wrong), '"' + std::string(wrong) +
                                                                   "\" at 20 is not a value for local; expected an address such as "
                                                                   "127.0.0.1, ::1 or [::1]:7000");
  const std::string networks = "; expected networks such as 10.0.0.0/8,2001:db8::/32, with zeros behind the prefix";
  for (const char* wrong : {"here", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8,,::/0"}) {
    check_refused("tcp://127.0.0.1:0?allow=" + std::string(wrong),
                  '"' + std::string(wrong) + "\" at 24 is not a value for allow" + networks);
    check_refused("tcp://127.0.0.1:0?deny=" + std::string(wrong), '"' + std::string(wrong) + "\" at 23 is not a value for deny" + networks);
  }
  for (const char* wrong : {"no-such-account", "4294967295", "-1", "99999999999", "root%00x"}) {
    const auto end = "\" at 13 is not a value for user; expected the name or the number of a user";
    check_refused("unix:/x?user=" + std::string(wrong), '"' + std::string(wrong) + end);
  }
  check_refused("unix:/x?group=no-such-group",
                "\"no-such-group\" at 14 is not a value for group; expected the name or the number of a group");
  check_refused("unix:/x?mode=rw", "\"rw\" at 13 is not a value for mode; expected an octal mode such as 0660");
}

TEST_CASE("F2 a low mark above the high one is refused at its place") {
  check_refused("tcp://127.0.0.1:0?low=200&high=100", "\"200\" at 22 is above the option high; expected low to be at most high");
  check_refused("unix:/x?high=100&low=200", "\"200\" at 21 is above the option high; expected low to be at most high");
}

TEST_CASE("what is refused leaves nothing behind") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const std::string path = folder / "x.sock";
  CHECK_THROWS_AS(here.listen("unix:" + path + "?backlog=0"), bad_endpoint);
  CHECK_THROWS_AS(here.listen("unix:" + path + "/deeper"), std::system_error);
  CHECK_FALSE(std::filesystem::exists(path));
  here.scheduler.run();  // returns: nothing is left
}
