#include <sluice/udp.hpp>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

#include <doctest/doctest.h>
#include <sluice/descriptor.hpp>
#include <sluice/memory/datagrams.hpp>
#include <sluice/timer.hpp>

#include "datagram_site.hpp"

using namespace sluice;
using namespace socket_kit;

namespace {

const address group("239.255.77.1", 0);
const address any_port = address::loopback_v4(0);
const udp::options by_loopback{.multicast_interface = "lo"};

// A member at a port of its own; `send` reaches the group there.
struct member_site : datagram_site {
  member_site() {
    udp::open(scheduler, address::any_v4(0), borrow(end));
    udp::open(scheduler, any_port, borrow(other), by_loopback);
  }
  datagram_transport& member() { return *end.connection(); }
  void send(const std::string& text) { other.connection()->send_to(text, group.with_port(at().port())); }
  // The plain datagram behind it shows that what was sent before has arrived, if it ever does.
  bool hears(const std::string& text) {
    end.forget();
    send(text);
    other.connection()->send_to("behind", address::loopback_v4(at().port()));
    run_until(scheduler, [this] { return end.count("datagram 6") != 0; });
    return end.received().size() == 2 && end.received()[0].data == text;
  }
};

}  // namespace

TEST_CASE("D11 what goes to a group arrives between join and leave, and not for who has not joined") {
  member_site here;
  CHECK_FALSE(here.hears("before"));
  REQUIRE_FALSE(udp::join(here.member(), group, "lo"));
  CHECK(here.hears("between"));
  CHECK(here.end.received()[0].from.host() == "127.0.0.1");
  CHECK(udp::join(here.member(), group, "lo") == std::errc::address_in_use);
  REQUIRE_FALSE(udp::leave(here.member(), group, "lo"));
  CHECK_FALSE(here.hears("behind that"));
  CHECK(udp::leave(here.member(), group, "lo") == std::errc::address_not_available);
}

TEST_CASE("D11 joined for one source, what others send to the group does not arrive") {
  member_site here;
  REQUIRE_FALSE(udp::join(here.member(), group, address("127.0.0.9", 0), "lo"));
  CHECK_FALSE(here.hears("from another"));
  REQUIRE_FALSE(udp::join(here.member(), group, address("127.0.0.1", 0), "lo"));
  CHECK(here.hears("from this one"));
  REQUIRE_FALSE(udp::leave(here.member(), group, address("127.0.0.1", 0), "lo"));
  CHECK_FALSE(here.hears("from this one no more"));
}

// By the loopback interface everything comes back; what the option does shows elsewhere only.
TEST_CASE("D11 loopback, hops and the outgoing interface can be changed at any time") {
  member_site here;
  const int socket = here.descriptor();
  const auto option = [socket](int name) {
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(::getsockopt(socket, IPPROTO_IP, name, &value, &size) == 0);
    return value;
  };
  CHECK(option(IP_MULTICAST_LOOP) == 1);
  CHECK(option(IP_MULTICAST_TTL) == 1);
  CHECK_FALSE(udp::set_multicast_loopback(here.member(), false));
  CHECK_FALSE(udp::set_multicast_ttl(here.member(), 7));
  CHECK(option(IP_MULTICAST_LOOP) == 0);
  CHECK(option(IP_MULTICAST_TTL) == 7);
  REQUIRE_FALSE(udp::join(here.member(), group, std::to_string(::if_nametoindex("lo"))));
  CHECK_FALSE(udp::set_multicast_interface(here.member(), "lo"));
  here.member().send_to("to itself", group.with_port(here.at().port()));
  CHECK(here.wait_received(1));
}

TEST_CASE("D11 several members share a port by opting in, and each hears what goes to the group") {
  datagram_site here;
  const udp::options shared{.reuse_port = true};
  udp::open(here.scheduler, address::any_v4(0), borrow(here.end), shared);
  const address at = here.at();
  std::error_code error;
  CHECK(udp::open(here.scheduler, at, borrow(here.other), {}, error) == nullptr);
  CHECK(error == std::errc::address_in_use);
  udp::open(here.scheduler, at, borrow(here.other), shared);
  for (auto* each : {&here.end, &here.other}) REQUIRE_FALSE(udp::join(*each->connection(), group, "lo"));
  testing::recording_datagram_protocol sender;
  udp::open(here.scheduler, any_port, borrow(sender), by_loopback).send_to("to all", group.with_port(at.port()));
  CHECK(run_until(here.scheduler, [&] { return here.end.received().size() == 1 && here.other.received().size() == 1; }));
  sender.connection()->abort();
  run_until(here.scheduler, [&] { return sender.is_lost(); });
}

TEST_CASE("D11 what is no group, no interface or no UDP is refused") {
  member_site here;
  CHECK(udp::join(here.member(), {"127.0.0.1", 0}) == errc::bad_address);
  CHECK(udp::join(here.member(), {"ff02::77", 0}) == errc::bad_address);
  CHECK(udp::join(here.member(), group, group) == errc::bad_address);
  CHECK(udp::join(here.member(), group, "no such interface") == std::errc::no_such_device);
  CHECK(udp::join(here.member(), group, "999999") == std::errc::no_such_device);
  CHECK(udp::set_multicast_interface(here.member(), "nope") == std::errc::no_such_device);
  CHECK(udp::set_multicast_ttl(here.member(), 256) == std::errc::invalid_argument);
  CHECK_FALSE(udp::set_multicast_ttl(here.member(), 0));
  testing::recording_datagram_protocol one;
  testing::recording_datagram_protocol two;
  auto link = memory::datagram_pair(here.scheduler, borrow(one), borrow(two));
  CHECK(udp::join(link.first, group) == errc::not_supported);
  CHECK(udp::set_multicast_ttl(link.first, 1) == errc::not_supported);
  link.first.abort();
  link.second.abort();
  run_until(here.scheduler, [&] { return one.is_lost() && two.is_lost(); });
}

namespace {

// A network of its own, with one interface "tap0" that carries groups of IPv6. What is in the way, or null.
const char* enter_network(descriptor& interface) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWNET) != 0) return "the system allows no network namespaces here";
  interface = descriptor(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq wanted{};
  std::strcpy(wanted.ifr_name, "tap0");
  wanted.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(interface.get(), TUNSETIFF, &wanted) != 0) return "no network interface can be made";
  std::ofstream("/proc/sys/net/ipv6/conf/tap0/accept_dad") << 0;  // its address is of use at once
  const descriptor socket(::socket(AF_INET6, SOCK_DGRAM, 0));
  wanted.ifr_flags = IFF_UP | IFF_MULTICAST;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &wanted) == 0 ? nullptr : "the interface cannot be brought up, or there is no IPv6";
}

// 0: a datagram to the group arrived.
int run_v6() {
  descriptor interface;
  if (const char* const why = enter_network(interface)) {
    std::printf("%s\n", why);
    return 77;
  }
  struct listener final : datagram_protocol {
    void datagram_received(const_bytes data, const address&) override {
      heard = as_text(data);
      on_heard();
    }
    std::string heard;
    std::function<void()> on_heard;
  } member, sender;
  const address v6_group("ff02::77", 0);
  loop owner;
  auto& at = udp::open(owner, address::any_v6(0), borrow(member));
  if (udp::join(at, v6_group, "tap0")) return 2;
  auto& from = udp::open(owner, address::any_v6(0), borrow(sender), {.multicast_ttl = 1, .multicast_interface = "tap0"});
  const address to = v6_group.with_port(at.info<local_address>()->value.port());
  timer too_late(owner, [&] { owner.stop(); });
  too_late.start(std::chrono::seconds(10));
  timer again(owner, [&] {  // the interface may not be ready yet
    from.send_to("to the group", to);
    again.start(std::chrono::milliseconds(10));
  });
  again.start(std::chrono::milliseconds(0));
  member.on_heard = [&] { owner.stop(); };
  owner.run();
  again.stop();
  too_late.stop();
  const bool left = !udp::leave(at, v6_group, "tap0");
  at.abort();
  from.abort();
  owner.run();
  return member.heard == "to the group" && left ? 0 : 1;
}

}  // namespace

TEST_CASE("D11 groups of IPv6, in a network namespace where that is allowed") {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(run_v6());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    MESSAGE("skipped: no network namespace could be made; its reason is above");
  else
    CHECK(WEXITSTATUS(status) == 0);
}
