#include <sluice/socket_server.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
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

// What servers of all kinds have in common: starting and ending.

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
