#include <sluice/schemes.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "datagram_site.hpp"

using namespace sluice;
using namespace socket_kit;

namespace {

std::string udp_at(const address& at, const std::string& options = "") { return "udp://" + at.to_string() + options; }

void check_refused(const std::string& text, const std::string& problem) {
  CAPTURE(text);
  datagram_site here;
  const std::string message = "endpoint \"" + text + "\": " + problem;
  CHECK_THROWS_WITH_AS(open_datagrams(here.scheduler, text, borrow(here.end)), message.c_str(), bad_endpoint);
  CHECK_THROWS_WITH_AS(connect_datagrams(here.scheduler, text, borrow(here.end)), message.c_str(), bad_endpoint);
}

}  // namespace

TEST_CASE("two ends meet at an endpoint of each kind") {
  const descriptor_balance balance;
  const temporary_folder folder;
  const std::string own = folder / "own";
  struct row {
    std::string at;
    std::string to;  // without a port
    std::string kind;
  };
  const row rows[] = {
      {"udp://127.0.0.1:0?high=9000&receive_buffer=64KiB", "udp://127.0.0.1", "udp"},
      {"udp://[::1]:0", "udp://[::1]", "udp"},
      {"udp://localhost:0?family=ipv4", "udp://localhost", "udp"},
      {"udp://:0", "udp://127.0.0.1", "udp"},
      {"udp://:0?family=ipv6", "udp://[::1]", "udp"},
      {"unix-dgram:" + (folder / "x"), "unix-dgram:" + (folder / "x") + "?local=" + own, "unix-dgram"},
      {"unix-dgram-abstract:" + folder.name(), "unix-dgram-abstract:" + folder.name() + "?local=" + folder.name() + "-own", "unix-dgram"},
  };
  for (const row& each : rows) {
    CAPTURE(each.at);
    datagram_site here;
    auto& server = open_datagrams(here.scheduler, each.at, borrow(here.end));
    CHECK(server.info<transport_kind>()->value == each.kind);
    std::string to(each.to);
    if (here.at().is_ip()) to.append(":").append(std::to_string(here.at().port()));
    here.end.on_datagram = [&](const_bytes data, const address& from) { server.send_to(data, from); };
    if (each.at.find("localhost") != std::string::npos) to += "?family=ipv4";
    auto& client = connect_datagrams(here.scheduler, to, borrow(here.other));
    CHECK(client.send("there and back") == send_status::accepted);
    CHECK(run_until(here.scheduler, [&] { return here.other.received().size() == 1; }));
    CHECK(here.other.received()[0].data == "there and back");
  }
}

TEST_CASE("every option of an endpoint arrives where it belongs") {
  datagram_site here;
  auto& transport = open_datagrams(here.scheduler,
                                   "udp://127.0.0.1:0?reuse_port=on&broadcast=on&max_datagram=100&ttl=5&multicast_ttl=6&multicast_loopback="
                                   "off&low=1KiB&high=2KiB&max_write_buffer=4KiB&when_full=abort&close_timeout=7s&send_buffer=32KiB&"
                                   "interface=lo&join=239.255.77.2,239.255.77.3@127.0.0.1",
                                   borrow(here.end));
  CHECK((transport.options().write_buffer == watermarks{1024, 2048}));
  CHECK(transport.options().max_write_buffer == 4096);
  CHECK(transport.options().when_full == full_queue::abort);
  CHECK(transport.options().close_timeout == std::chrono::seconds(7));
  const auto option = [&](int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(::getsockopt(here.descriptor(), level, name, &value, &size) == 0);
    return value;
  };
  CHECK(option(SOL_SOCKET, SO_REUSEPORT) == 1);
  CHECK(option(SOL_SOCKET, SO_BROADCAST) == 1);
  CHECK(option(SOL_SOCKET, SO_SNDBUF) == 2 * 32 * 1024);
  CHECK(option(IPPROTO_IP, IP_TTL) == 5);
  CHECK(option(IPPROTO_IP, IP_MULTICAST_TTL) == 6);
  CHECK(option(IPPROTO_IP, IP_MULTICAST_LOOP) == 0);
  const raw_datagrams peer(address::loopback_v4(0));
  peer.send_to(std::string(101, 'x'), here.at());
  REQUIRE(here.wait_errors(1));
  CHECK(here.end.last_error() == errc::message_truncated);
}

TEST_CASE("D11 a datagram to a group that an endpoint joins arrives") {
  datagram_site here;
  open_datagrams(here.scheduler, "udp://0.0.0.0:0?join=239.255.77.4&interface=lo", borrow(here.end));
  auto& sender = connect_datagrams(
      here.scheduler, "udp://239.255.77.4:" + std::to_string(here.at().port()) + "?interface=lo&local=127.0.0.1", borrow(here.other));
  sender.send("to the group");
  REQUIRE(here.wait_received(1));
  CHECK(here.end.received()[0].data == "to the group");
}

TEST_CASE("a bad endpoint is refused with the part that is wrong") {
  check_refused("udp://nowhere:1?local=x",
                "\"x\" at 22 is not a value for local; expected an address such as 127.0.0.1, ::1 or [::1]:7000");
  check_refused("udp://127.0.0.1:1?max_datagram=70000",
                "\"70000\" at 31 is not a value for max_datagram; expected a size from 1 to 65535, such as 65536, 64KiB or 1MiB");
  check_refused("udp://127.0.0.1:1?join=127.0.0.1",
                "\"127.0.0.1\" at 23 is not a value for join; expected multicast groups such as 239.1.2.3 or ff02::123, or GROUP@SOURCE, "
                "separated by commas");
  check_refused("udp://127.0.0.1:1?low=5&high=3", "\"5\" at 22 is above the option high; expected low to be at most high");
  check_refused("udp://127.0.0.1:1?family=ipv6", "\"ipv6\" at 25 is not the family of the host; expected that, or any");
  check_refused("unix-dgram:", "at 11 there is nothing; expected a form such as unix-dgram:/run/name.sock");
}

TEST_CASE("what the system refuses is told with the address, and leaves nothing open") {
  const descriptor_balance balance;
  datagram_site here;
  open_datagrams(here.scheduler, "udp://127.0.0.1:0", borrow(here.end));
  CHECK_THROWS_AS(open_datagrams(here.scheduler, udp_at(here.at()), borrow(here.other)), std::system_error);
  CHECK_THROWS_AS(open_datagrams(here.scheduler, "udp://127.0.0.1:0?join=239.1.1.1&interface=none", borrow(here.other)), std::system_error);
  CHECK_THROWS_AS(connect_datagrams(here.scheduler, "udp://127.0.0.1:0", borrow(here.other)), bad_endpoint);
}
