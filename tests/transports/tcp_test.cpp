#include <sluice/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/transport_ref.hpp>
#include <sluice/testing/allocation_failure.hpp>

#include "server_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

// Servers, and what an accepted connection knows of itself. tcp_connect_test.cpp has the other side, tcp_stream_test.cpp the traffic.

namespace {

using lines = std::vector<std::string>;

const address any_port = address::loopback_v4(0);

int option_of(int socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(::getsockopt(socket, level, name, &value, &size) == 0);
  return value;
}

}  // namespace

TEST_CASE("S5 a server listens on several addresses at once and tells the ports that the system chose") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  CHECK_FALSE(server.is_serving());
  CHECK(server.sockets().empty());
  const address first = server.listen({"127.0.0.1", 0});
  const address second = server.listen({"127.0.0.2", 0});
  const address third = server.listen({"::1", 0});
  CHECK(first.port() != 0);
  CHECK(third.port() != 0);
  CHECK(server.sockets() == std::vector<address>{first, second, third});
  CHECK(server.is_serving());

  for (const address& each : server.sockets()) {
    const raw_socket peer = raw_socket::connected_to(each);
    REQUIRE(here.run_until_made(here.ends.size() + 1));
    CHECK(here.ends.back()->connection()->info<local_address>()->value == each);
  }
  CHECK(server.counters().accepted == 3);
  server.close();
  CHECK_FALSE(server.is_serving());
  CHECK(server.sockets().empty());
  server.close();
  CHECK_THROWS_AS(raw_socket::connected_to(first), std::system_error);
  here.end_all();
  CHECK(here.errors.empty());
}

TEST_CASE("S8 an address that cannot be bound is refused with its text and the system's reason") {
  const descriptor_balance balance;
  server_site here;
  const raw_socket taken = raw_socket::listening_at(any_port);
  const address at = taken.local_address();
  tcp::server server(here.scheduler, here.factory());
  std::string text = "listening on " + at.to_string() + ": EADDRINUSE: address already in use";
  CHECK_THROWS_WITH_AS(server.listen(at), text.c_str(), std::system_error);
  std::error_code error;
  CHECK(server.listen(at, error).empty());
  CHECK(error == std::errc::address_in_use);
  CHECK(error.category() == uv_category());

  CHECK(server.listen({"192.0.2.1", 0}, error).empty());  // an address of nobody
  CHECK(error == std::errc::address_not_available);
  for (const address& wrong : {address(), address::unix_path("/nowhere"), address::unix_abstract("name")}) {
    CHECK(server.listen(wrong, error).empty());
    CHECK(error == errc::bad_address);
  }
  CHECK_FALSE(server.is_serving());
  CHECK_FALSE(server.listen(any_port, error).empty());
  CHECK_FALSE(error);
}

TEST_CASE("S6 a list of addresses is listened on as a whole, duplicates once") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address before = server.listen(any_port);
  const auto bound = server.listen({any_port, {"::1", 0}, any_port, {"127.0.0.2", 0}, {"::1", 0}});
  REQUIRE(bound.size() == 3);
  CHECK(bound[0].with_port(0) == any_port);
  CHECK(bound[1].is_v6());
  CHECK(bound[2].host() == "127.0.0.2");
  CHECK(server.sockets() == std::vector<address>{before, bound[0], bound[1], bound[2]});
  for (const address& each : bound) {
    const raw_socket peer = raw_socket::connected_to(each);
    CHECK(here.run_until_made(here.ends.size() + 1));
  }
  here.end_all();
}

TEST_CASE("S6 S8 a list of which one address cannot be had is refused as a whole, by the name of that one") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address before = server.listen(any_port);
  const raw_socket taken = raw_socket::listening_at(any_port);
  const address at = taken.local_address();
  const raw_socket free = raw_socket::bound_to(any_port);
  const std::vector<address> wanted{{"127.0.0.2", at.port()}, at, {"::1", 0}};
  const std::string text = "listening on " + at.to_string() + ": EADDRINUSE: address already in use";
  CHECK_THROWS_WITH_AS(server.listen(wanted), text.c_str(), std::system_error);
  std::error_code error;
  CHECK(server.listen(wanted, error).empty());
  CHECK(error == std::errc::address_in_use);
  CHECK(server.sockets() == std::vector<address>{before});
  CHECK_THROWS_AS(raw_socket::connected_to(wanted[0]), std::system_error);

  CHECK(server.listen({any_port, address::unix_path("/nowhere")}, error).empty());
  CHECK(error == errc::bad_address);
  CHECK_THROWS_WITH_AS(server.listen(std::vector<address>()), doctest::Contains("listening on no address: "), std::system_error);
  CHECK(server.sockets().size() == 1);
}

TEST_CASE("S6 without an address a server listens on every interface, IPv4 and IPv6, at one port") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.ipv6_only = false});  // has no say here
  const auto bound = server.listen(0);
  REQUIRE(bound.size() == 2);
  const std::uint16_t port = bound[0].port();
  CHECK(bound == std::vector{address::any_v4(port), address::any_v6(port)});
  CHECK(port != 0);
  for (const char* host : {"127.0.0.1", "127.0.0.2", "::1"}) {
    const raw_socket peer = raw_socket::connected_to({host, port});
    REQUIRE(here.run_until_made(here.ends.size() + 1));
    CHECK(here.ends.back()->connection()->info<peer_address>()->value.is_v6() == (host == std::string("::1")));
  }
  here.end_all();

  tcp::server late(here.scheduler, here.factory());
  const std::string text = "listening on 0.0.0.0:" + std::to_string(port) + ": EADDRINUSE: address already in use";
  CHECK_THROWS_WITH_AS(late.listen(port), text.c_str(), std::system_error);
  std::error_code error;
  CHECK(late.listen(port, error).empty());
  CHECK(error == std::errc::address_in_use);
}

TEST_CASE("S2 close accepts the clients that wait already, and only then stops") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address one = server.listen(any_port);
  const address other = server.listen({"::1", 0});
  const raw_socket waiting[] = {raw_socket::connected_to(one), raw_socket::connected_to(other), raw_socket::connected_to(one)};
  server.close();
  CHECK(here.made() == 3);
  CHECK(server.counters().accepted == 3);
  for (const address& each : {one, other}) CHECK_THROWS_AS(raw_socket::connected_to(each), std::system_error);
  waiting[1].send("still served");
  CHECK(run_until(here.scheduler,
                  [&] { return here.ends[0]->received() + here.ends[1]->received() + here.ends[2]->received() == "still served"; }));
  here.end_all();
}

TEST_CASE("S9 clients that wait together are accepted in one iteration of the loop") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  std::vector<raw_socket> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(raw_socket::connected_to(at));
  const std::uint64_t before = here.scheduler.counters().iterations;
  CHECK(here.run_until_made(50));
  CHECK(here.scheduler.counters().iterations - before <= 2);
  server.close();
  here.end_all();
}

TEST_CASE("S7 two servers share a port only if both ask for it") {
  const descriptor_balance balance;
  server_site here;
  tcp::server lonely(here.scheduler, here.factory());
  tcp::server first(here.scheduler, here.factory(), {.reuse_port = true});
  tcp::server second(here.scheduler, here.factory(), {.reuse_port = true});
  std::error_code error;
  const address at = first.listen(any_port);
  CHECK(second.listen(at, error) == at);
  CHECK(lonely.listen(at, error).empty());
  CHECK(error == std::errc::address_in_use);
}

TEST_CASE("S7 the system keeps as many clients waiting as the backlog says, 100 unless told otherwise") {
  const descriptor_balance balance;
  server_site here;
  const auto waiting_at_most = [](int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    CHECK(::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    return info.tcpi_sacked;  // what it means on a listening socket
  };
  tcp::server usual(here.scheduler, here.factory());
  tcp::server small(here.scheduler, here.factory(), {.backlog = 5});
  usual.listen(any_port);
  small.listen(any_port);
  CHECK(waiting_at_most(usual.descriptors().front()) == 100);
  CHECK(waiting_at_most(small.descriptors().front()) == 5);
}

TEST_CASE("S7 a port whose connections linger in the system can be listened on again at once") {
  const descriptor_balance balance;
  server_site here;
  auto server = std::make_unique<tcp::server>(here.scheduler, here.factory());
  const address at = server->listen(any_port);
  raw_socket peer = raw_socket::connected_to(at);
  REQUIRE(here.run_until_made(1));
  here.ends[0]->connection()->close();  // first, so that the wait for stray segments is ours
  run_until(here.scheduler, [&] { return here.ends[0]->is_lost(); });
  CHECK(peer.receive_all().empty());
  peer.close();
  run_until(here.scheduler, [&] { return here.scheduler.open_transports() == 0; });
  server = std::make_unique<tcp::server>(here.scheduler, here.factory());
  CHECK(server->listen(at) == at);
}

TEST_CASE("an IPv6 server takes IPv4 clients only if asked to") {
  const descriptor_balance balance;
  server_site here;
  tcp::server six(here.scheduler, here.factory());
  tcp::server both(here.scheduler, here.factory(), {.ipv6_only = false});
  const address six_only = six.listen({"::", 0});
  const address both_at = both.listen({"::", 0});
  CHECK_THROWS_AS(raw_socket::connected_to({"127.0.0.1", six_only.port()}), std::system_error);
  const raw_socket peer = raw_socket::connected_to({"127.0.0.1", both_at.port()});
  REQUIRE(here.run_until_made(1));
  CHECK(here.ends[0]->connection()->info<peer_address>()->value.is_loopback());
  here.end_all();
}

TEST_CASE("L15 a factory that throws or returns null costs the client its connection, not the server its life") {
  const descriptor_balance balance;
  server_site here;
  int calls = 0;
  const protocol_factory good = here.factory();
  tcp::server server(here.scheduler, [&]() -> protocol_ptr {
    if (++calls == 1) throw std::runtime_error("no protocol today");
    if (calls == 2) return nullptr;
    return good();
  });
  const address at = server.listen(any_port);
  raw_socket clients[] = {raw_socket::connected_to(at), raw_socket::connected_to(at), raw_socket::connected_to(at)};
  REQUIRE(here.run_until_made(1));
  CHECK(clients[0].receive_all().empty());
  CHECK(clients[1].receive_all().empty());
  CHECK(
      here.errors ==
      lines{"sluice: factory: the connection was closed: no protocol today",
            "sluice: factory: the protocol factory returned null; the connection was closed: the protocol factory threw or returned null"});
  CHECK(server.is_serving());
  CHECK(server.counters().factory_failures == 2);
  CHECK(server.counters().accepted == 1);
  here.end_all();
}

TEST_CASE("L16 a server closed inside its factory drops that connection and those behind it") {
  const descriptor_balance balance;
  server_site here;
  const protocol_factory good = here.factory();
  std::optional<tcp::server> server;
  server.emplace(here.scheduler, [&] {
    server->close();
    CHECK_FALSE(server->is_serving());
    return good();
  });
  const address at = server->listen(any_port);
  raw_socket clients[] = {raw_socket::connected_to(at), raw_socket::connected_to(at)};
  here.scheduler.run();  // returns: nothing is left
  for (raw_socket& each : clients) CHECK(each.receive_all().empty());
  CHECK(here.ends.size() == 1);
  CHECK(here.made() == 0);
  CHECK(server->counters().accepted == 0);
  CHECK(here.errors.empty());
}

TEST_CASE("L16 a factory inside close may close again, and nothing is lost twice") {
  const descriptor_balance balance;
  server_site here;
  const protocol_factory good = here.factory();
  std::optional<tcp::server> server;
  server.emplace(here.scheduler, [&] {
    server->close();
    return good();
  });
  raw_socket client = raw_socket::connected_to(server->listen(any_port));
  server->close();
  CHECK(client.receive_all().empty());
  CHECK(here.made() == 0);
}

TEST_CASE("L16 a server may be destroyed inside its factory") {
  const descriptor_balance balance;
  server_site here;
  const protocol_factory good = here.factory();
  for (const bool inside_close : {false, true}) {
    CAPTURE(inside_close);
    std::unique_ptr<tcp::server> server;
    server = std::make_unique<tcp::server>(here.scheduler, [&, text = std::string("a capture that must outlive the server")] {
      server.reset();
      CHECK(text == "a capture that must outlive the server");
      return good();
    });
    raw_socket client = raw_socket::connected_to(server->listen(any_port));
    if (inside_close) server->close();
    here.scheduler.run();
    CHECK(server == nullptr);
    CHECK(client.receive_all().empty());
  }
  CHECK(here.made() == 0);
}

TEST_CASE("L16 a server may be destroyed inside its factory where there is no memory left") {
  const descriptor_balance balance;
  server_site here;
  bool struck = false;
  std::unique_ptr<tcp::server> server;
  server = std::make_unique<tcp::server>(here.scheduler, [&]() -> protocol_ptr {
    const sluice::testing::allocation_failure failure(0);
    server.reset();
    struck = failure.struck();
    return nullptr;
  });
  raw_socket client = raw_socket::connected_to(server->listen(any_port));
  here.scheduler.run();
  CHECK(server == nullptr);
  CHECK_FALSE(struck);
  CHECK(client.receive_all().empty());
}

TEST_CASE("L16 a server destroyed inside its factory goes with a loop that does not run again") {
  const descriptor_balance balance;
  auto here = std::make_unique<server_site>();
  std::unique_ptr<tcp::server> server;
  server = std::make_unique<tcp::server>(here->scheduler, [&]() -> protocol_ptr {
    server.reset();
    return nullptr;
  });
  const raw_socket client = raw_socket::connected_to(server->listen(any_port));
  server->close();
  CHECK(server == nullptr);
  here.reset();
}

TEST_CASE("L14 destroying a server closes it and leaves its connections alone") {
  const descriptor_balance balance;
  server_site here;
  auto server = std::make_unique<tcp::server>(here.scheduler, here.factory());
  const address at = server->listen(any_port);
  raw_socket peer = raw_socket::connected_to(at);
  REQUIRE(here.run_until_made(1));
  here.ends[0]->on_data = [&](const_bytes data) {
    server.reset();
    here.ends[0]->connection()->write(data);
  };
  peer.send("end it");
  run_until(here.scheduler, [&] { return server == nullptr; });
  CHECK(peer.receive(6) == "end it");
  CHECK_THROWS_AS(raw_socket::connected_to(at), std::system_error);
  CHECK(here.ends[0]->connection() != nullptr);
  here.end_all();
}

TEST_CASE("L14 a server may outlive its loop: it is closed, and its connections were aborted") {
  const descriptor_balance balance;
  auto here = std::make_unique<server_site>();
  tcp::server server(here->scheduler, here->factory());
  const address at = server.listen(any_port);
  raw_socket peer = raw_socket::connected_to(at);
  REQUIRE(here->run_until_made(1));
  lines events;
  here->ends[0]->on_lost = [&, &dying = here->scheduler](std::error_code reason) {
    events.push_back(reason.message());
    CHECK(server.sockets().empty());
    server.close();
    std::error_code error;
    tcp::server late(dying, [] { return nullptr; });
    CHECK(late.listen(any_port, error).empty());
    CHECK(error == errc::closed);
    CHECK_FALSE(tcp::connect(dying, at, [] { return nullptr; }).in_progress());
  };
  here.reset();
  CHECK(events == lines{make_error_code(errc::aborted).message()});
  CHECK(peer.receive_all().empty());
  CHECK_FALSE(server.is_serving());
  CHECK(server.sockets().empty());
  CHECK(server.counters().accepted == 1);
  server.close();
  std::error_code error;
  CHECK(server.listen(any_port, error).empty());
  CHECK(error == errc::closed);
}

TEST_CASE("I1 an accepted connection knows both addresses, its descriptor and its kind, and nothing of what TCP has not") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  for (const char* host : {"127.0.0.1", "::1"}) {
    CAPTURE(host);
    const address at = server.listen({host, 0});
    const raw_socket peer = raw_socket::connected_to(at);
    REQUIRE(here.run_until_made(here.ends.size() + 1));
    const transport& made = *here.ends.back()->connection();
    CHECK(made.info<peer_address>()->value == peer.local_address());
    CHECK(made.info<local_address>()->value == at);
    CHECK(made.info<transport_kind>()->value == "tcp");
    CHECK(option_of(made.info<native_descriptor>()->value, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
    CHECK_FALSE(made.info<peer_credentials>());
    struct unheard_of {};
    CHECK_FALSE(made.info<unheard_of>());
  }
  here.end_all();
}

TEST_CASE("I2 what a connection knows stays known through connection_lost, however it ends") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  const std::function<void(transport&, raw_socket&)> ends[] = {
      [](transport& made, raw_socket&) { made.close(); }, [](transport& made, raw_socket&) { made.abort(); },
      [](transport& made, raw_socket&) { made.reset(); }, [](transport&, raw_socket& peer) { peer.close(); },
      [](transport&, raw_socket& peer) { peer.reset(); },
  };
  for (const auto& end : ends) {
    raw_socket peer = raw_socket::connected_to(at);
    const address there = peer.local_address();
    REQUIRE(here.run_until_made(here.ends.size() + 1));
    recording_protocol& now = *here.ends.back();
    const int number = now.connection()->info<native_descriptor>()->value;
    now.on_lost = [&](std::error_code) {
      CHECK(now.connection()->info<peer_address>()->value == there);
      CHECK(now.connection()->info<local_address>()->value == at);  // asked for the first time
      CHECK(now.connection()->info<native_descriptor>()->value == number);
      CHECK(option_of(number, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);  // L9: it is given back only afterwards
    };
    end(*now.connection(), peer);
    CHECK(run_until(here.scheduler, [&] { return now.is_lost(); }));
    peer.close();
    here.end_all();
  }
}

TEST_CASE("I5 accepted connections have TCP_NODELAY, IPv4 or IPv6, unless told otherwise") {
  const descriptor_balance balance;
  server_site here;
  tcp::server quick(here.scheduler, here.factory());
  tcp::server slow(here.scheduler, here.factory(), {.nodelay = false});
  const std::pair<address, int> rows[] = {
      {quick.listen({"127.0.0.1", 0}), 1}, {quick.listen({"::1", 0}), 1}, {slow.listen({"127.0.0.1", 0}), 0}};
  for (const auto& [at, expected] : rows) {
    const raw_socket peer = raw_socket::connected_to(at);
    REQUIRE(here.run_until_made(here.ends.size() + 1));
    const int socket = here.ends.back()->connection()->info<native_descriptor>()->value;
    CHECK((option_of(socket, IPPROTO_TCP, TCP_NODELAY) != 0) == (expected != 0));
  }
  here.end_all();
}

TEST_CASE("the settings of a server are those of the connections that it accepts") {
  const descriptor_balance balance;
  server_site here;
  tcp::options settings;
  settings.stream.write_buffer = {.low = 10, .high = 1000};
  settings.stream.max_write_buffer = 5000;
  tcp::server server(here.scheduler, here.factory(), settings);
  const raw_socket peer = raw_socket::connected_to(server.listen(any_port));
  REQUIRE(here.run_until_made(1));
  const transport& made = *here.ends[0]->connection();
  CHECK(made.get_write_buffer_limits().high == 1000);
  CHECK(made.get_write_buffer_limits().low == 10);
  CHECK(made.options().max_write_buffer == 5000);
  here.end_all();
}
