#include <sluice/tcp.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>

#include "server_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;

// What happens when the system cannot accept.

namespace {

using lines = std::vector<std::string>;

const address any_port = address::loopback_v4(0);
const lines emfile_told = {"sluice: accept: accepting is paused; it is tried again every second: EMFILE: too many open files"};

// What the next calls of accept4 fail with; 0 lets one through.
std::deque<int> script;
int calls = 0;

// No descriptor is to be had while this lives, but for those that the process gives back.
class full_table {
 public:
  // `spare`: how many are left.
  explicit full_table(int spare = 0) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit_) == 0);
    for (int number = ::dup(0); number >= 0; number = ::dup(0)) {
      fillers_.emplace_back(number);
      if (number < 200) continue;
      rlimit few = limit_;
      few.rlim_cur = static_cast<rlim_t>(number) + 1;
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    }
    for (int i = 0; i < spare; ++i) fillers_.pop_back();
  }
  full_table(const full_table&) = delete;
  full_table& operator=(const full_table&) = delete;
  ~full_table() { ::setrlimit(RLIMIT_NOFILE, &limit_); }

 private:
  rlimit limit_{};
  std::vector<raw_socket> fillers_;
};

}  // namespace

extern "C" int accept4(int socket, sockaddr* peer, socklen_t* size, int flags) {
  ++calls;
  if (!script.empty()) {
    const int error = script.front();
    script.pop_front();
    if (error != 0) {
      errno = error;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_accept4, socket, peer, size, flags));
}

TEST_CASE("S10 a want of descriptors is reported once, does not spin, and ends by itself") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  const raw_socket waiting[] = {raw_socket::connected_to(at), raw_socket::connected_to(at)};
  {
    const full_table full;
    CHECK(iterations_during(here.scheduler, 100ms) < 20);
  }
  CHECK(here.made() == 0);
  CHECK(here.errors == emfile_told);
  CHECK(server.counters().accept_pauses == 1);
  CHECK(here.run_until_made(2));
  CHECK(here.errors.size() == 1);
  here.end_all();
}

TEST_CASE("S10 clients that have waited through a want of descriptors are turned away, all of them, and later ones are served") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  const address other = server.listen({"::1", 0});
  std::vector<raw_socket> waiting;
  for (int i = 0; i < 70; ++i) waiting.push_back(raw_socket::connected_to(i % 2 == 0 ? at : other));
  {
    const full_table full;
    CHECK(run_until(here.scheduler, [&] { return server.counters().dropped == 70; }));
  }
  for (raw_socket& each : waiting) {
    CHECK(each.receive_all().empty());
    CHECK(each.error() == 0);
  }
  CHECK(here.ends.empty());
  CHECK(here.errors == emfile_told);
  CHECK(server.counters().accept_pauses == 1);
  const raw_socket late = raw_socket::connected_to(at);
  CHECK(here.run_until_made(1));
  CHECK(server.counters().dropped == 70);
  here.end_all();
}

TEST_CASE("S10 a connection that ends in a want of descriptors makes room for the next client at once, and that is no new episode") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const address at = server.listen(any_port);
  std::vector<raw_socket> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(raw_socket::connected_to(at));
  {
    const full_table full(3);
    REQUIRE(here.run_until_made(3));
    const auto before = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 9; ++i) {
      here.ends[i]->connection()->abort();
      REQUIRE(here.run_until_made(4 + i));
    }
    if (std::chrono::steady_clock::now() - before < 900ms) CHECK(server.counters().dropped == 0);
    CHECK(here.errors == emfile_told);
    CHECK(server.counters().accept_pauses == 1);
  }
  here.end_all();
}

TEST_CASE("S10 a want of memory pauses accepting, and nobody is turned away, as that would not help") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const raw_socket client = raw_socket::connected_to(server.listen(any_port));
  script = {ENOBUFS, ENOMEM, ENOBUFS};
  CHECK(here.run_until_made(1));
  CHECK(server.counters().dropped == 0);
  CHECK(server.counters().accept_errors == 3);
  CHECK(server.counters().accept_pauses == 1);
  REQUIRE(here.errors.size() == 1);
  CHECK(here.errors[0].ends_with("ENOBUFS: no buffer space available"));
  here.end_all();
}

TEST_CASE("S10 an error that no retry mends is told once and does not spin") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  server.listen(any_port);
  ::shutdown(server.descriptors().front(), SHUT_RDWR);  // as another process that shares the socket may
  CHECK(iterations_during(here.scheduler, 100ms) < 20);
  REQUIRE(here.errors.size() == 1);
  CHECK(here.errors[0].ends_with("EINVAL: invalid argument"));
  CHECK(server.counters().accept_pauses == 1);
}

TEST_CASE("S10 a server that is closed in a want of descriptors has no retry left, and may listen again") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  {
    const raw_socket client = raw_socket::connected_to(server.listen(any_port));
    const full_table full;
    CHECK(run_until(here.scheduler, [&] { return !here.errors.empty(); }));
    server.close();
    here.scheduler.run();  // returns
  }
  CHECK(server.accept_holds() == 0);
  const raw_socket client = raw_socket::connected_to(server.listen(any_port));
  CHECK(here.run_until_made(1));
  here.end_all();
}

TEST_CASE("S11 a client that is gone before it is accepted is skipped, and the next one is served in the same event") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const raw_socket client = raw_socket::connected_to(server.listen(any_port));
  calls = 0;
  script = {ECONNABORTED, EPROTO, EINTR, EPERM, ENETDOWN, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT};
  CHECK(here.run_until_made(1));
  CHECK(calls <= 10);
  CHECK(server.counters().accept_errors == 8);
  CHECK(server.counters().accept_pauses == 0);
  CHECK(here.errors.empty());
  here.end_all();
}

TEST_CASE("S11 what is wrong with every client does not starve the others") {
  const descriptor_balance balance;
  server_site here;
  tcp::server server(here.scheduler, here.factory());
  const raw_socket client = raw_socket::connected_to(server.listen(any_port));
  script.assign(200, ECONNABORTED);
  calls = 0;
  bool ran = false;
  here.scheduler.call_soon([&] { here.scheduler.call_soon([&] { ran = calls <= 64; }); });
  CHECK(here.run_until_made(1));
  CHECK(ran);
  here.end_all();
}
