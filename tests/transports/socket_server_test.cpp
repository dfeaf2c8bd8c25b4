#include <sluice/socket_server.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/local.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/tcp.hpp>

#include "server_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;

// What servers of all kinds have in common: starting, ending, limits and pauses.

namespace {

using lines = std::vector<std::string>;

const address any_port = address::loopback_v4(0);

bool is_held(const server& asked, accept_hold why) { return (asked.accept_holds() & static_cast<unsigned>(why)) != 0; }

// How often a wait ended, and with what.
struct ending {
  closed_handler handler() {
    return [this](std::size_t aborted) { told.push_back(aborted); };
  }
  std::vector<std::size_t> told;
};

}  // namespace

TEST_CASE("S1 a server that does not start at once binds, refuses clients, and serves from start_serving on") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.start_serving = false});
  const address one = server.listen(any_port);
  const address other = server.listen({"::1", 0});
  CHECK(one.port() != 0);
  CHECK(server.sockets() == std::vector<address>{one, other});
  CHECK_FALSE(server.is_serving());
  CHECK_THROWS_AS(raw_socket::connected_to(one), std::system_error);
  here.scheduler.run();  // returns: what does not serve keeps nothing running

  server.start_serving();
  CHECK(server.is_serving());
  server.start_serving();
  const address third = server.listen({"127.0.0.2", 0});  // serves at once
  for (const address& each : {one, other, third}) {
    const raw_socket peer = raw_socket::connected_to(each);
    CHECK(here.run_until_made(here.ends.size() + 1));
  }
  here.end_all();
}

TEST_CASE("S1 start_serving says at which address it cannot listen, and closes the server") {
  const descriptor_balance balance;
  server_site here;
  tcp::server first(here.scheduler, here.factory(), {.start_serving = false});
  tcp::server second(here.scheduler, here.factory(), {.start_serving = false});
  const address at = first.listen(any_port);
  CHECK(second.listen(at) == at);  // the system lets two have an address until one of them listens
  first.start_serving();
  const std::string text = "listening on " + at.to_string() + ": EADDRINUSE: address already in use";
  SUBCASE("thrown") { CHECK_THROWS_WITH_AS(second.start_serving(), text.c_str(), std::system_error); }
  SUBCASE("returned") {
    std::error_code error;
    second.start_serving(error);
    CHECK(error == std::errc::address_in_use);
  }
  CHECK(second.sockets().empty());
  CHECK(first.is_serving());
}

TEST_CASE("S1 a server without sockets, or that serves already, starts without an error") {
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  std::error_code error = errc::closed;
  server.start_serving(error);
  CHECK_FALSE(error);
  CHECK_FALSE(server.is_serving());
}

TEST_CASE("S2 close refuses clients that wait if it is told to") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  raw_socket waiting = raw_socket::connected_to(server.listen(any_port));
  server.close(waiting_clients::refuse);
  waiting.receive_all();
  CHECK(waiting.error() == ECONNRESET);
  CHECK(here.ends.empty());
  CHECK(server.counters().accepted == 0);
}

TEST_CASE("S2 a server that was closed may listen again") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  server.listen(any_port);
  server.close();
  const raw_socket peer = raw_socket::connected_to(server.listen(any_port));
  CHECK(here.run_until_made(1));
  here.end_all();
}

TEST_CASE("S3 close_clients asks each protocol to end, abort_clients asks nobody, and neither touches other connections") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  tcp::server other(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  const address other_at = other.listen(any_port);
  raw_socket stranger = raw_socket::connected_to(other_at);
  REQUIRE(here.run_until_made(1));
  raw_socket peers[] = {raw_socket::connected_to(at), raw_socket::connected_to(at)};
  REQUIRE(here.run_until_made(3));
  const auto attempt = tcp::connect(here.scheduler, other_at, here.factory());
  REQUIRE(here.run_until_made(5));
  server.close();
  SUBCASE("gracefully: what is queued is sent first") {
    here.ends[1]->connection()->write("farewell");
    server.close_clients();
    CHECK(here.ends[1]->events() == lines{"made"});  // later, not inside the call
    CHECK(run_until(here.scheduler, [&] { return here.ends[1]->is_lost() && here.ends[2]->is_lost(); }));
    CHECK(peers[0].receive_all() == "farewell");
    CHECK(peers[1].receive_all().empty());
    for (int i : {1, 2}) {
      CHECK(here.ends[static_cast<std::size_t>(i)]->count("shutting down") == 1);
      CHECK_FALSE(here.ends[static_cast<std::size_t>(i)]->lost_reason());
    }
  }
  SUBCASE("hard") {
    server.abort_clients();
    CHECK(run_until(here.scheduler, [&] { return here.ends[1]->is_lost() && here.ends[2]->is_lost(); }));
    for (int i : {1, 2}) CHECK(here.ends[static_cast<std::size_t>(i)]->lost_reason() == errc::aborted);
  }
  for (int i : {0, 3, 4}) CHECK(here.ends[static_cast<std::size_t>(i)]->events() == lines{"made"});
  other.close();
  peers[0].close();
  peers[1].close();
  here.end_all();
}

TEST_CASE("S4 wait_closed completes when the server is closed and its last descriptor is given back") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  ending first, second;
  raw_socket peer = raw_socket::connected_to(server.listen(any_port));
  REQUIRE(here.run_until_made(1));
  server.wait_closed(1h, first.handler());
  server.close();
  server.wait_closed(duration::max(), second.handler());
  here.settle();
  CHECK(first.told.empty());
  server.close_clients();
  CHECK(run_until(here.scheduler, [&] { return here.ends[0]->is_lost(); }));
  CHECK(server.counters().connections == 1);  // it lingers, as the peer may still be sending (rule C6)
  CHECK(first.told.empty());
  peer.close();
  CHECK(run_until(here.scheduler, [&] { return !second.told.empty(); }));
  CHECK(server.counters().connections == 0);
  CHECK(first.told == std::vector<std::size_t>{0});
  CHECK(second.told == std::vector<std::size_t>{0});
  CHECK(here.scheduler.open_transports() == 0);
  here.scheduler.run();  // returns: no deadline is left
}

TEST_CASE("S4 wait_closed on a server that is over completes in a later turn") {
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  ending over;
  server.close();
  server.wait_closed(1h, over.handler());
  CHECK(over.told.empty());
  here.scheduler.run();
  CHECK(over.told == std::vector<std::size_t>{0});
}

TEST_CASE("S4 at the deadline what is left is closed and aborted, and the number is told") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  raw_socket peers[] = {raw_socket::connected_to(at), raw_socket::connected_to(at), raw_socket::connected_to(at)};
  REQUIRE(here.run_until_made(3));
  here.ends[0]->connection()->close();  // lingers: nobody has to be aborted
  REQUIRE(run_until(here.scheduler, [&] { return here.ends[0]->is_lost(); }));
  for (const auto& each : here.ends) each->on_shutting_down = [] { return shutdown_action::handled; };  // and does nothing
  ending over;
  server.close_clients();
  server.wait_closed(20ms, over.handler());
  CHECK(run_until(here.scheduler, [&] { return !over.told.empty(); }));
  CHECK(over.told == std::vector<std::size_t>{2});
  CHECK(server.sockets().empty());
  CHECK(server.counters().connections == 0);
  CHECK(here.scheduler.open_transports() == 0);
  for (const auto& each : here.ends) CHECK(each->is_lost());
  CHECK(here.ends[1]->lost_reason() == errc::aborted);
}

TEST_CASE("S4 what wait_closed tells may throw, or destroy the server, and the others are told all the same") {
  const descriptor_balance balance;
  server_site here;
  auto server = std::make_unique<tcp::server>(here.scheduler, here.factory());
  ending before;
  int destroyed = 0;
  server->listen(any_port);
  server->wait_closed(1h, [](std::size_t) { throw std::runtime_error("too late"); });
  server->wait_closed(1h, before.handler());
  server->wait_closed(1h, [&](std::size_t) {
    ++destroyed;
    server.reset();
  });
  server->close();
  here.scheduler.run();
  CHECK(before.told.size() == 1);
  CHECK(destroyed == 1);
  REQUIRE(here.errors.size() == 1);
  CHECK(here.errors[0] == "sluice: scheduled function: wait_closed: too late");
}

TEST_CASE("S4 a wait is dropped with its server, and with its loop") {
  const descriptor_balance balance;
  auto here = std::make_unique<server_site>();
  ending over;
  {
    tcp::server server(here->scheduler, here->factory());
    server.wait_closed(0ms, over.handler());
  }
  here->scheduler.run();
  tcp::server server(here->scheduler, here->factory());
  server.listen(any_port);
  server.wait_closed(1h, over.handler());
  here.reset();
  server.wait_closed(1h, over.handler());
  server.close_clients();
  server.abort_clients();
  CHECK(over.told.empty());
}

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

TEST_CASE("a server may go before its connections, and they before it, with a limit on both") {
  const descriptor_balance balance;
  server_site here;
  auto server =
      std::make_unique<tcp::server>(here.scheduler, here.factory(), tcp::options{.max_connections = 1, .max_connections_per_peer = 1});
  raw_socket peer = raw_socket::connected_to(server->listen(any_port));
  REQUIRE(here.run_until_made(1));
  server.reset();
  peer.send("still here");
  CHECK(run_until(here.scheduler, [&] { return here.ends[0]->received() == "still here"; }));
  peer.close();
  CHECK(here.run_until_closed());
}

TEST_CASE("a number that makes no sense is refused when the server is made") {
  server_site here;
  for (const int backlog : {-1, 0, 65536}) {
    const std::string text = "sluice: backlog is " + std::to_string(backlog) + "; expected a number from 1 to 65535";
    CHECK_THROWS_WITH_AS(tcp::server(here.scheduler, here.factory(), {.backlog = backlog}), text.c_str(), std::invalid_argument);
    CHECK_THROWS_WITH_AS(local::server(here.scheduler, here.factory(), {.backlog = backlog}), text.c_str(), std::invalid_argument);
  }
}

TEST_CASE("L18 a shutdown closes servers as close() does, so that clients that wait are asked to end, too") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.stream = {.linger = 0s}});
  raw_socket waiting = raw_socket::connected_to(server.listen(any_port));
  bool ended = false;
  shutdown(here.scheduler, 1h, [&](const shutdown_report&) { ended = true; });
  CHECK_FALSE(server.is_serving());
  here.scheduler.run();
  CHECK(ended);
  CHECK(waiting.receive_all().empty());
  REQUIRE(here.ends.size() == 1);
  CHECK(here.ends[0]->events() == lines{"made", "shutting down", "lost"});
}

TEST_CASE(
    "R12 S14 over the memory budget nothing is accepted, by servers that are made meanwhile neither, until it is no longer exceeded") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  raw_socket lazy = raw_socket::connected_to(at);
  REQUIRE(here.run_until_made(1));
  here.scheduler.set_memory_budget(64 * 1024);
  here.ends[0]->connection()->write(std::string(8 * 1024 * 1024, 'x'));
  REQUIRE(run_until(here.scheduler, [&] { return is_held(server, accept_hold::memory_budget); }));
  tcp::server late(here.scheduler, here.factory());
  const raw_socket clients[] = {raw_socket::connected_to(at), raw_socket::connected_to(late.listen(any_port))};
  CHECK(iterations_during(here.scheduler, 20ms) < 20);
  CHECK(here.made() == 1);
  lazy.close();
  CHECK(here.run_until_made(3));
  CHECK(server.accept_holds() == 0);
  here.end_all();
}

TEST_CASE("S12 a server serves on a socket that somebody else made, and closes it with itself") {
  const descriptor_balance balance;
  const temporary_folder folder;
  server_site here;
  const auto check = [&](socket_server& server, const address& at) {
    const int flags[] = {::fcntl(server.descriptors().back(), F_GETFL), ::fcntl(server.descriptors().back(), F_GETFD)};
    CHECK((flags[0] & O_NONBLOCK) != 0);
    CHECK(flags[1] == FD_CLOEXEC);
    CHECK(server.sockets() == std::vector{at});
    CHECK(server.is_serving());
    raw_socket peer = raw_socket::connected_to(at);
    REQUIRE(here.run_until_made(1));
    peer.send("hello");
    CHECK(run_until(here.scheduler, [&] { return here.ends[0]->received() == "hello"; }));
    server.close();
    CHECK_THROWS_AS(raw_socket::connected_to(at), std::system_error);
    here.end_all();
  };
  SUBCASE("tcp") {
    raw_socket made = raw_socket::listening_at(any_port);
    const address at = made.local_address();
    tcp::server server(here.scheduler, here.factory());
    CHECK(server.adopt(descriptor(made.release())) == at);
    check(server, at);
  }
  SUBCASE("unix, whose file is left to whoever made it") {
    raw_socket made = raw_socket::listening_at(address::unix_path(folder / "x.sock"));
    const address at = made.local_address();
    local::server server(here.scheduler, here.factory());
    CHECK(server.adopt(descriptor(made.release())) == at);
    check(server, at);
    CHECK(std::filesystem::is_socket(at.path()));
  }
}

TEST_CASE("S12 accepted connections of an adopted socket have TCP_NODELAY, too") {
  const descriptor_balance balance;
  server_site here;
  for (const bool nodelay : {true, false}) {
    raw_socket made = raw_socket::listening_at(any_port);
    tcp::server server(here.scheduler, here.factory(), {.nodelay = nodelay});
    const raw_socket peer = raw_socket::connected_to(server.adopt(descriptor(made.release())));
    REQUIRE(here.run_until_made(here.ends.size() + 1));
    int value = -1;
    socklen_t size = sizeof value;
    const int accepted = here.ends.back()->connection()->info<native_descriptor>()->value;
    CHECK(::getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0);
    CHECK((value != 0) == nodelay);
    here.end_all();
  }
}

TEST_CASE("S12 a shared socket stays its owner's") {
  const descriptor_balance balance;
  server_site here;
  const raw_socket made = raw_socket::listening_at(any_port);
  tcp::server first(here.scheduler, here.factory());
  tcp::server second(here.scheduler, here.factory());
  const address at = made.local_address();
  CHECK(first.share(made.get()) == at);
  CHECK(second.share(made.get()) == at);
  CHECK(first.descriptors() != second.descriptors());
  const raw_socket peer = raw_socket::connected_to(at);
  CHECK(here.run_until_made(1));
  first.close();
  second.close(waiting_clients::leave);
  const raw_socket waiting = raw_socket::connected_to(at);
  CHECK(made.accept().get() >= 0);
  here.end_all();
}

TEST_CASE("S12 what is no listening socket of the kind is refused by its number, and closed unless it was only shared") {
  const descriptor_balance balance;
  const temporary_folder folder;
  server_site here;
  tcp::server tcp_server(here.scheduler, here.factory());
  local::server unix_server(here.scheduler, here.factory());
  const auto check = [&](socket_server& server, raw_socket socket, const std::string& which, const std::string& kind, int error) {
    const std::string number = std::to_string(socket.get());
    const std::string text =
        "adopting descriptor " + number + which + " as a listening " + kind + " socket: " + system_error(error).message();
    CHECK_THROWS_WITH_AS(server.share(socket.get()), text.c_str(), std::system_error);
    std::error_code code;
    CHECK(server.share(socket.get(), code).empty());
    CHECK(code == system_error(error));
    CHECK(::fcntl(socket.get(), F_GETFD) >= 0);
    CHECK(server.adopt(descriptor(::dup(socket.get())), code).empty());
    CHECK(code == system_error(error));
    CHECK_THROWS_WITH_AS(server.adopt(descriptor(socket.release())), text.c_str(), std::system_error);
  };
  check(tcp_server, raw_socket::bound_to(any_port), ", which does not listen,", "TCP", EINVAL);
  check(tcp_server, raw_socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), "", "TCP", EPROTOTYPE);
  check(tcp_server, raw_socket::listening_at(address::unix_path(folder / "x.sock")), "", "TCP", EAFNOSUPPORT);
  check(unix_server, raw_socket::listening_at(any_port), "", "Unix", EAFNOSUPPORT);
  check(unix_server, raw_socket(::open("/dev/null", O_RDONLY | O_CLOEXEC)), "", "Unix", ENOTSOCK);
  CHECK_THROWS_WITH_AS(tcp_server.share(-1), doctest::Contains("adopting descriptor -1 as a listening TCP socket: EBADF"),
                       std::system_error);
  CHECK_FALSE(tcp_server.is_serving());
}

TEST_CASE("S1 S12 clients of an adopted socket wait until start_serving") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory(), {.start_serving = false});
  raw_socket made = raw_socket::listening_at(any_port, 1);
  const raw_socket waiting = raw_socket::connected_to(server.adopt(descriptor(made.release())));
  CHECK_FALSE(server.is_serving());
  here.scheduler.run();  // returns
  CHECK(here.ends.empty());
  server.start_serving();
  CHECK(here.run_until_made(1));
  here.end_all();
}

TEST_CASE("S12 a server whose loop is gone adopts nothing") {
  const descriptor_balance balance;
  auto here = std::make_unique<server_site>();
  tcp::server server(here->scheduler, here->factory());
  here.reset();
  raw_socket made = raw_socket::listening_at(any_port);
  std::error_code error;
  CHECK(server.adopt(descriptor(made.release()), error).empty());
  CHECK(error == errc::closed);
}
