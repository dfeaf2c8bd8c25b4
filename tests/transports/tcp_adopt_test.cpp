#include <sluice/tcp.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

namespace {

descriptor copy_of(const raw_socket& other) { return descriptor(::fcntl(other.get(), F_DUPFD_CLOEXEC, 0)); }

struct site {
  bool run_until_closed() {
    return run_until(scheduler, [&] { return scheduler.open_transports() == 0; });
  }
  recording_protocol end;
  loop scheduler;
};

}  // namespace

TEST_CASE("N8 a connected socket that somebody else made becomes a connection like any other") {
  const descriptor_balance balance;
  for (const address& place : {address::loopback_v4(0), address::loopback_v6(0)}) {
    site here;
    const raw_socket listener = raw_socket::listening_at(place);
    raw_socket client = raw_socket::connected_to(listener.local_address());
    raw_socket peer = listener.accept();
    descriptor mine = copy_of(client);
    const int number = mine.get();
    const result<transport&> made = tcp::adopt(here.scheduler, std::move(mine), borrow(here.end), {.stream = {.close_timeout = 7s}});
    client.close();
    REQUIRE(made);
    CHECK(here.end.events() == std::vector<std::string>{"made"});
    CHECK(made->info<transport_kind>()->value == "tcp");
    CHECK(made->info<peer_address>()->value == listener.local_address());
    CHECK(made->options().close_timeout == 7s);
    CHECK((::fcntl(number, F_GETFL) & O_NONBLOCK) != 0);
    int nodelay = 0;
    socklen_t size = sizeof nodelay;
    CHECK(::getsockopt(number, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size) == 0);
    CHECK(nodelay != 0);
    peer.send("from there");
    made->write("from here");
    CHECK(run_until(here.scheduler, [&] { return here.end.received() == "from there"; }));
    CHECK(peer.receive(9) == "from here");
    peer.close();
    CHECK(here.run_until_closed());
    CHECK(here.end.trace() == "made, data 10, eof, lost");
  }
}

TEST_CASE("N8 what is no connected TCP socket is refused with what it should be, and closed") {
  const descriptor_balance balance;
  site here;
  const auto socket = [](int family, int type) { return descriptor(::socket(family, type | SOCK_CLOEXEC, 0)); };
  const raw_socket listener = raw_socket::listening_at(address::loopback_v4(0));
  const auto refuse = [&](descriptor wrong, int expected) {
    const std::string prefix = "adopting descriptor " + std::to_string(wrong.get()) + ": ";
    const result<transport&> made = tcp::adopt(here.scheduler, std::move(wrong), borrow(here.end));
    REQUIRE_FALSE(made);
    CHECK(made.error() == system_error(expected));
    CHECK(made.detail() == prefix + system_error(expected).message() + "; expected a connected TCP socket");
  };
  refuse(descriptor(), EBADF);
  refuse(descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)), ENOTSOCK);
  refuse(socket(AF_INET, SOCK_DGRAM), EPROTOTYPE);
  refuse(socket(AF_UNIX, SOCK_STREAM), EAFNOSUPPORT);
  refuse(socket(AF_INET6, SOCK_STREAM), ENOTCONN);
  refuse(copy_of(listener), ENOTCONN);
  CHECK(here.end.events().empty());
}

TEST_CASE("N8 an exception of connection_made is the error, and the connection is aborted") {
  const descriptor_balance balance;
  site here;
  here.scheduler.on_error([](const error_event&) {});
  here.end.on_made = [](transport&) { throw std::runtime_error("planted"); };
  const raw_socket listener = raw_socket::listening_at(address::loopback_v4(0));
  raw_socket client = raw_socket::connected_to(listener.local_address());
  descriptor mine = copy_of(client);
  client.close();
  CHECK(tcp::adopt(here.scheduler, std::move(mine), borrow(here.end)).error() == errc::protocol_threw);
  CHECK(here.run_until_closed());
  CHECK(listener.accept().receive_all().empty());
}
