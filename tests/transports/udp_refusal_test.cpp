#include <sluice/udp.hpp>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <string>

#include <doctest/doctest.h>

#include "datagram_site.hpp"

// A UDP socket on the loopback interface never refuses; here the system's call is replaced by one that does what a script says.

using namespace sluice;
using namespace socket_kit;

namespace {

struct step {
  unsigned takes;  // datagrams of this call
  int error;       // with 0 of them
};
std::deque<step> script;
unsigned calls = 0;

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool replaced = true;
extern "C" int sendmmsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  ++calls;
  if (!script.empty()) {
    const step now = script.front();
    script.pop_front();
    if (now.takes == 0) {
      errno = now.error;
      return -1;
    }
    count = std::min(count, now.takes);
  }
  return static_cast<int>(::syscall(SYS_sendmmsg, socket, messages, count, flags));
}
#else
constexpr bool replaced = false;
#endif

namespace {

struct refusal_site : datagram_site {
  refusal_site() { udp::open(scheduler, address::loopback_v4(0), borrow(end)); }
  // `n` numbered datagrams in one turn.
  void send(int n) {
    const auto turn = scheduler.cork();
    for (int i = 0; i < n; ++i) end.connection()->send_to(std::to_string(i), peer.local_address());
  }
  void check_received(int n) {
    for (int i = 0; i < n; ++i) CHECK(peer.receive().data == std::to_string(i));
    CHECK(peer.is_empty());
  }
  raw_datagrams peer{address::loopback_v4(0)};
};

}  // namespace

TEST_CASE("D8 F9 what a socket refuses waits until it takes more, in order" * doctest::skip(!replaced)) {
  refusal_site here;
  script = {{3, 0}, {0, EAGAIN}, {0, EINTR}, {0, EAGAIN}, {1, 0}};
  here.end.on_pause = [] { return backpressure::hold_reading; };
  here.end.connection()->set_write_buffer_limits({.high = 300, .low = 0});
  here.send(10);
  CHECK(here.end.trace() == "made, pause");
  CHECK(here.end.connection()->get_write_buffer_size() == 7 * (1 + datagram_transport::overhead));
  CHECK(run_until(here.scheduler, [&] { return here.end.count("resume") == 1; }));
  here.check_received(10);
  CHECK(here.end.connection()->counters().datagrams_sent == 10);
}

TEST_CASE("D5 D8 a datagram that fails is dropped, and told; the rest goes on" * doctest::skip(!replaced)) {
  refusal_site here;
  script = {{2, 0}, {0, ENOBUFS}};
  here.send(2);
  here.send(0);
  here.check_received(2);
  here.end.connection()->send_to("lost", here.peer.local_address());
  here.send(3);
  here.check_received(3);
  CHECK(here.wait_errors(1));
  CHECK(here.end.last_error() == std::errc::no_buffer_space);
  CHECK(here.end.connection()->counters().send_errors == 1);
}

TEST_CASE("what one turn sends leaves in one call, a batch at most in each" * doctest::skip(!replaced)) {
  refusal_site here;
  calls = 0;
  here.send(50);
  CHECK(calls == 1);
  here.check_received(50);
  here.send(100);
  CHECK(calls == 3);
  here.check_received(100);
}
