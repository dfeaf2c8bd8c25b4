#include <sluice/udp.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/timer.hpp>

#include "datagram_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;

namespace {

const address any_port = address::loopback_v4(0);

int option_of(int socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(::getsockopt(socket, level, name, &value, &size) == 0);
  return value;
}

}  // namespace

TEST_CASE("D2 D3 datagrams of all sizes pass between a transport and a plain socket, one by one") {
  const descriptor_balance balance;
  datagram_site here;
  auto& transport = udp::open(here.scheduler, any_port, borrow(here.end), {.receive_buffer = 1'000'000});
  CHECK(here.at().port() != 0);
  const raw_datagrams peer(any_port);
  const std::size_t sizes[] = {0, 1, 64, 1400, 2047, 2048, 2049, 20'000, 65'507, 0, 7};
  for (const std::size_t size : sizes) peer.send_to(numbered(size), here.at());
  REQUIRE(here.wait_received(std::size(sizes)));
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    CHECK(here.end.received()[i].data == numbered(sizes[i]));
    CHECK(here.end.received()[i].from == peer.local_address());
    CHECK(transport.send_to(here.end.received()[i].data, peer.local_address()) == send_status::accepted);
    CHECK(peer.receive().data == numbered(sizes[i]));
  }
  CHECK(transport.counters().datagrams_received == std::size(sizes));
  CHECK(transport.counters().datagrams_sent == std::size(sizes));
  CHECK(transport.counters().bytes_received == transport.counters().bytes_sent);
}

TEST_CASE("D2 a flood comes in batches, bounded ones, and each of its datagrams is delivered or counted by the system") {
  datagram_site here;
  auto& transport = udp::open(here.scheduler, any_port, borrow(here.end), {.receive_buffer = 4'000'000});
  const raw_datagrams peer(any_port);
  constexpr std::size_t flood = 500;
  for (std::size_t i = 0; i < flood; ++i) peer.send_to(std::to_string(i), here.at());
  bool other_ran = false;
  here.end.on_datagram = [&](const_bytes, const address&) {
    if (here.end.received().size() == 1) here.scheduler.call_soon([&] { other_ran = here.end.received().size() < flood; });
  };
  REQUIRE(here.wait_received(flood));
  for (std::size_t i = 0; i < flood; ++i) CHECK(here.end.received()[i].data == std::to_string(i));
  CHECK(other_ran);
  CHECK(transport.counters().receives <= 20);
}

TEST_CASE("D4 a datagram that is longer than max_datagram is an error, and the next one arrives") {
  datagram_site here;
  udp::open(here.scheduler, any_port, borrow(here.end), {.max_datagram = 3000});
  const raw_datagrams peer(any_port);
  for (const std::size_t size : {3000U, 3001U, 9000U, 5U}) peer.send_to(numbered(size), here.at());
  REQUIRE(here.wait_received(2));
  CHECK(here.end.trace() == "made, datagram 3000, error sluice:27, error sluice:27, datagram 5");
  CHECK(here.end.last_error() == errc::message_truncated);
}

TEST_CASE("D5 D15 that nobody is at the peer's port is an error, also while reading is paused, and nothing spins") {
  datagram_site here;
  raw_datagrams peer(any_port);
  auto& transport = udp::connect(here.scheduler, peer.local_address(), borrow(here.end));
  const address gone = peer.local_address();
  peer.close();
  transport.send("is there anybody?");
  REQUIRE(here.wait_errors(1));
  CHECK(here.end.last_error() == std::errc::connection_refused);
  transport.pause_reading();
  transport.send("and now?");
  REQUIRE(here.wait_errors(2));
  CHECK(iterations_during(here.scheduler, 60ms) < 20);
  CHECK_FALSE(transport.is_closing());
  CHECK(transport.counters().receive_errors == 2);
  CHECK(here.end.connection()->info<peer_address>()->value == gone);
}

TEST_CASE("D5 a datagram for a network that cannot be reached is an error of its own") {
  datagram_site here;
  auto& transport = udp::open(here.scheduler, any_port, borrow(here.end));
  const raw_datagrams peer(any_port);
  CHECK(transport.send_to("cannot be sent", {"255.255.255.255", 9}) == send_status::accepted);
  CHECK(transport.send_to("arrives", peer.local_address()) == send_status::accepted);
  CHECK(peer.receive().data == "arrives");
  REQUIRE(here.wait_errors(1));
  CHECK(here.end.last_error() == std::errc::permission_denied);
}

TEST_CASE("D6 a connected transport hears its peer alone") {
  datagram_site here;
  const raw_datagrams peer(any_port);
  const raw_datagrams stranger(any_port);
  udp::connect(here.scheduler, peer.local_address(), borrow(here.end));
  stranger.send_to("not for you", here.at());
  peer.send_to("for you", here.at());
  REQUIRE(here.wait_received(1));
  CHECK(here.end.trace() == "made, datagram 7");
}

TEST_CASE("D7 an IPv6 socket takes IPv4 addresses as mapped ones, where it takes any") {
  datagram_site here;
  auto& strict = udp::open(here.scheduler, address::loopback_v6(0), borrow(here.end));
  const address mapped("::ffff:127.0.0.1", 9);
  CHECK(strict.send_to("x", mapped) == send_status::bad_address);
  CHECK(strict.send_to("x", {"127.0.0.1", 9}) == send_status::bad_address);
  auto& dual = udp::open(here.scheduler, address::any_v6(0), borrow(here.other), {.ipv6_only = false});
  const raw_datagrams peer(any_port);
  const std::uint16_t port = dual.info<local_address>()->value.port();
  peer.send_to("by IPv4", address::loopback_v4(port));
  REQUIRE(run_until(here.scheduler, [&] { return here.other.received().size() == 1; }));
  const address from = here.other.received()[0].from;
  CHECK(from.unmapped() == peer.local_address());
  CHECK(dual.send_to("x", peer.local_address()) == send_status::bad_address);
  CHECK(dual.send_to("back", from) == send_status::accepted);
  CHECK(peer.receive().data == "back");
}

TEST_CASE("D10 broadcast is opt-in, and who connects to a broadcast address hears everybody") {
  datagram_site here;
  const raw_datagrams peer(address::any_v4(0));
  const address everybody("127.255.255.255", peer.local_address().port());
  auto& plain = udp::open(here.scheduler, any_port, borrow(here.end));
  plain.send_to("refused", everybody);
  REQUIRE(here.wait_errors(1));
  CHECK(here.end.last_error() == std::errc::permission_denied);

  auto& asking = udp::connect(here.scheduler, everybody, borrow(here.other), {.broadcast = true, .local = any_port});
  CHECK(asking.send("who is there?") == send_status::accepted);
  CHECK(asking.send_to("x", any_port.with_port(9)) == send_status::bad_address);
  const auto question = peer.receive();
  CHECK(question.data == "who is there?");
  peer.send_to("me", question.from);
  REQUIRE(run_until(here.scheduler, [&] { return here.other.received().size() == 1; }));
  CHECK(here.other.received()[0].from == address::loopback_v4(peer.local_address().port()));
}

TEST_CASE("D12 a port that is taken is an error that names it; sharing it is opt-in") {
  const descriptor_balance balance;
  datagram_site here;
  udp::open(here.scheduler, any_port, borrow(here.end), {.reuse_port = true});
  const address taken = here.at();
  std::error_code error;
  CHECK(udp::open(here.scheduler, taken, borrow(here.other), {}, error) == nullptr);
  CHECK(error == std::errc::address_in_use);
  CHECK_THROWS_WITH_AS(udp::open(here.scheduler, taken, borrow(here.other)),
                       ("opening udp " + taken.to_string() + ": " + error.message()).c_str(), std::system_error);
  CHECK(here.other.trace().empty());
  CHECK(udp::open(here.scheduler, taken, borrow(here.other), {.reuse_port = true}, error) != nullptr);
}

TEST_CASE("D13 in a pause the system keeps what it has room for and drops the rest, which costs the loop nothing") {
  datagram_site here;
  auto& transport = udp::open(here.scheduler, any_port, borrow(here.end), {.receive_buffer = 10'000});
  const raw_datagrams peer(any_port);
  transport.pause_reading();
  for (int i = 0; i < 500; ++i) peer.send_to(numbered(500), here.at());
  CHECK(iterations_during(here.scheduler, 60ms) < 20);
  CHECK(here.end.received().empty());
  transport.resume_reading();
  REQUIRE(here.wait_received(1));
  iterations_during(here.scheduler, 20ms);
  CHECK(here.end.received().size() < 500);
}

TEST_CASE("options reach the socket") {
  datagram_site here;
  udp::open(
      here.scheduler, any_port, borrow(here.end),
      {.broadcast = true, .receive_buffer = 20'000, .send_buffer = 30'000, .ttl = 3, .multicast_ttl = 9, .multicast_loopback = false});
  const int socket = here.descriptor();
  CHECK(option_of(socket, SOL_SOCKET, SO_BROADCAST) == 1);
  CHECK(option_of(socket, SOL_SOCKET, SO_RCVBUF) == 2 * 20'000);  // Linux doubles them for its own needs
  CHECK(option_of(socket, SOL_SOCKET, SO_SNDBUF) == 2 * 30'000);
  CHECK(option_of(socket, IPPROTO_IP, IP_TTL) == 3);
  CHECK(option_of(socket, IPPROTO_IP, IP_MULTICAST_TTL) == 9);
  CHECK(option_of(socket, IPPROTO_IP, IP_MULTICAST_LOOP) == 0);
}

TEST_CASE("what cannot be opened is refused, and leaves nothing open") {
  const descriptor_balance balance;
  datagram_site here;
  std::error_code error;
  CHECK(udp::open(here.scheduler, address::unix_path("/tmp/x"), borrow(here.end), {}, error) == nullptr);
  CHECK(error == errc::bad_address);
  CHECK(udp::connect(here.scheduler, any_port, borrow(here.end), {}, error) == nullptr);
  CHECK(error == errc::bad_address);
  CHECK(udp::connect(here.scheduler, {"127.0.0.1", 9}, borrow(here.end), {.local = address::loopback_v6(0)}, error) == nullptr);
  CHECK(error == errc::bad_address);
  CHECK(udp::open(here.scheduler, {"192.0.2.1", 0}, borrow(here.end), {}, error) == nullptr);
  CHECK(error == std::errc::address_not_available);
  CHECK_THROWS_AS(udp::open(here.scheduler, any_port, nullptr), std::invalid_argument);
  CHECK_THROWS_WITH_AS(udp::open(here.scheduler, any_port, borrow(here.end), {.max_datagram = 0}),
                       "udp::options: max_datagram is not a number from 1 to 65535", std::invalid_argument);
  CHECK_THROWS_WITH_AS(udp::open(here.scheduler, any_port, borrow(here.end), {.ttl = 256}),
                       "udp::options: ttl is not a number from 1 to 255", std::invalid_argument);
}

TEST_CASE("an open socket keeps the loop running, paused or not, until it is closed") {
  datagram_site here;
  auto& transport = udp::open(here.scheduler, any_port, borrow(here.end));
  transport.pause_reading();
  timer closing(here.scheduler, [&] { transport.close(); });
  closing.start(5ms);
  here.scheduler.run();
  CHECK(here.end.trace() == "made, lost");
}
