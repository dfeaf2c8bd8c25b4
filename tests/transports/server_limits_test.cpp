#include <sluice/socket_server.hpp>

#include <cerrno>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/local.hpp>
#include <sluice/tcp.hpp>

#include "server_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;

// Limits of a server, and pauses.

namespace {

const address any_port = address::loopback_v4(0);

bool is_held(const server& asked, accept_hold why) { return (asked.accept_holds() & static_cast<unsigned>(why)) != 0; }

}  // namespace

TEST_CASE("S14 while there are max_connections clients wait, and one is let in for each that leaves") {
  const descriptor_balance balance;
  const temporary_folder folder;
  server_site here;
  const auto check = [&](server& limited, const address& at) {
    std::vector<raw_socket> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(raw_socket::connected_to(at));
    REQUIRE(here.run_until_made(2));
    here.settle();
    CHECK(here.ends.size() == 2);
    CHECK(limited.counters().connections == 2);
    CHECK(limited.counters().limit_pauses == 1);
    CHECK(is_held(limited, accept_hold::connection_limit));
    CHECK(limited.is_serving());
    clients[0].close();
    clients[1].close();
    REQUIRE(here.run_until_made(4));
    CHECK(limited.counters().connections == 2);
    CHECK(limited.counters().accepted == 4);
    CHECK(here.errors.empty());  // it is what was asked for
    clients.clear();
    here.run_until_closed();
    CHECK_FALSE(is_held(limited, accept_hold::connection_limit));
    CHECK(limited.counters().connections == 0);
  };
  SUBCASE("tcp") {
    tcp::server server(here.scheduler, here.factory(), {.max_connections = 2});
    check(server, server.listen(any_port));
  }
  SUBCASE("unix") {
    local::server server(here.scheduler, here.factory(), {.max_connections = 2});
    check(server, server.listen(address::unix_path(folder / "x.sock")));
  }
}

TEST_CASE("S14 the limit counts the connections of all addresses of a server, and those that linger") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.max_connections = 2});
  const address one = server.listen(any_port);
  const address other = server.listen({"::1", 0});
  raw_socket first = raw_socket::connected_to(one);
  raw_socket second = raw_socket::connected_to(other);
  REQUIRE(here.run_until_made(2));
  const raw_socket third = raw_socket::connected_to(one);
  here.ends[0]->connection()->close();
  REQUIRE(run_until(here.scheduler, [&] { return here.ends[0]->is_lost(); }));
  CHECK(here.made() == 2);  // the first descriptor is kept until its peer ends (rule C6)
  first.close();
  CHECK(here.run_until_made(3));
  server.close();
  here.end_all();
}

TEST_CASE("S14 a close at the limit lets nobody in beyond it") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.max_connections = 1});
  const address at = server.listen(any_port);
  raw_socket clients[] = {raw_socket::connected_to(at), raw_socket::connected_to(at)};
  server.close();
  CHECK(here.made() == 1);
  clients[1].receive_all();
  CHECK(clients[1].error() == ECONNRESET);
  here.end_all();
}

TEST_CASE("S14 a connection that could not be made does not count") {
  const descriptor_balance balance;
  server_site here;
  const protocol_factory good = here.factory();
  int calls = 0;
  tcp::server server(here.scheduler, [&]() -> protocol_ptr { return ++calls == 1 ? nullptr : good(); },
                     {.max_connections = 1, .max_connections_per_peer = 1});
  const address at = server.listen(any_port);
  const raw_socket clients[] = {raw_socket::connected_to(at), raw_socket::connected_to(at)};
  CHECK(here.run_until_made(1));
  here.end_all();
}

TEST_CASE("S14 an address with max_connections_per_peer gets no more, others do, and it may come again when one has ended") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.ipv6_only = false, .max_connections_per_peer = 2});
  const address six = server.listen({"::1", 0});
  const address four = server.listen(any_port);
  std::vector<raw_socket> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(raw_socket::connected_to(four));
  REQUIRE(here.run_until_made(2));
  CHECK(clients[2].receive_all().empty());
  CHECK(clients[2].error() == 0);
  CHECK(server.counters().refused_by_peer_limit == 1);
  CHECK(server.counters().accepted == 2);
  CHECK(server.accept_holds() == 0);

  const raw_socket other = raw_socket::connected_to(six);
  REQUIRE(here.run_until_made(3));
  clients[0].close();
  REQUIRE(run_until(here.scheduler, [&] { return server.counters().connections == 2; }));
  const raw_socket again = raw_socket::connected_to(four);
  CHECK(here.run_until_made(4));
  here.end_all();
}

TEST_CASE("S14 an IPv4 client is one peer, by whichever socket it comes") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.ipv6_only = false, .max_connections_per_peer = 1});
  const address both = server.listen({"::", 0});
  const address four = server.listen(any_port);
  const raw_socket first = raw_socket::connected_to({"127.0.0.1", both.port()});
  REQUIRE(here.run_until_made(1));
  raw_socket second = raw_socket::connected_to(four);
  CHECK(run_until(here.scheduler, [&] { return server.counters().refused_by_peer_limit == 1; }));
  CHECK(second.receive_all().empty());
  here.end_all();
}

TEST_CASE("S14 clients of networks that are not allowed, or denied, are closed and counted") {
  const descriptor_balance balance;
  server_site here;
  const auto networks = [](const char* text) { return std::vector{network::parse(text)}; };
  struct row {
    std::vector<network> allow;
    std::vector<network> deny;
    bool admitted;
  };
  const row rows[] = {{networks("127.0.0.0/8"), {}, true}, {networks("10.0.0.0/8"), {}, false},
                      {networks("::/0"), {}, false},       {{}, networks("127.0.0.1"), false},
                      {{}, networks("127.0.0.2"), true},   {networks("127.0.0.0/8"), networks("127.0.0.1/32"), false}};
  for (const row& each : rows) {
    tcp::server server(here.scheduler, here.factory(), {.allow = each.allow, .deny = each.deny});
    const std::size_t before = here.made();
    raw_socket client = raw_socket::connected_to(server.listen(any_port));
    CHECK(run_until(here.scheduler, [&] { return server.counters().accepted + server.counters().refused_by_network == 1; }));
    CHECK(here.made() == before + (each.admitted ? 1 : 0));
    if (!each.admitted) CHECK(client.receive_all().empty());
    server.close();
    here.end_all();
  }
}

TEST_CASE("S14 while accepting is paused clients wait, the server serves, and the loop goes on") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  server.pause_accepting();
  const address at = server.listen(any_port);  // paused from the start
  server.pause_accepting();
  const raw_socket client = raw_socket::connected_to(at);
  CHECK(iterations_during(here.scheduler, 50ms) < 20);
  CHECK(here.ends.empty());
  CHECK(server.is_serving());
  CHECK(is_held(server, accept_hold::user));

  server.resume_accepting();
  CHECK(here.run_until_made(1));
  server.resume_accepting();
  CHECK(server.accept_holds() == 0);
  here.end_all();
}

TEST_CASE("S14 a paused server keeps the loop running until it is closed") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  server.listen(any_port);
  server.pause_accepting();
  std::promise<void> running;
  here.scheduler.call_soon([&] { running.set_value(); });
  std::thread other([&, remote = loop::remote(here.scheduler)] {
    running.get_future().wait();
    remote.post([&] { server.close(); });
  });
  here.scheduler.run();
  other.join();
  CHECK_FALSE(server.is_serving());
}

TEST_CASE("S14 a factory that pauses accepting gets no further client, and close leaves those that wait alone then") {
  const descriptor_balance balance;
  server_site here;
  const protocol_factory good = here.factory();
  std::optional<tcp::server> server;
  server.emplace(here.scheduler, [&] {
    server->pause_accepting();
    return good();
  });
  const address at = server->listen(any_port);
  const raw_socket clients[] = {raw_socket::connected_to(at), raw_socket::connected_to(at)};
  CHECK(here.run_until_made(1));
  here.settle();
  CHECK(here.made() == 1);
  server->close();
  CHECK(here.made() == 1);
  here.end_all();
}
