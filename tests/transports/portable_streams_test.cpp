#include <sluice/local.hpp>
#include <sluice/tcp.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

// What the conformance kit does not ask of the connections that libuv reads and writes: much output, and their servers.

namespace {

constexpr loop_options by_libuv{.executor = {}, .portable_streams = true};

std::string readable(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + ' ';
  return text;
}

void resize(int socket, int option, int size) { CHECK(::setsockopt(socket, SOL_SOCKET, option, &size, sizeof size) == 0); }

}  // namespace

TEST_CASE("W2 what libuv's streams do not take at once goes out in order, and a close waits for all of it") {
  const descriptor_balance balance;
  const std::string text = readable(3'000'000);
  recording_protocol end;
  loop scheduler(by_libuv);
  tcp::server server(scheduler, [&] { return borrow(end); });
  end.on_made = [&](transport& made) {
    resize(made.info<native_descriptor>()->value, SO_SNDBUF, 32'000);
    made.write(text);
    made.close();
  };
  raw_socket peer = raw_socket::connected_to(server.listen(address::loopback_v4(0)));
  std::string received;
  std::thread reader([&] { received = peer.receive_all(); });
  CHECK(run_until(scheduler, [&] { return end.is_lost(); }));
  server.close();
  CHECK(run_until(scheduler, [&] { return scheduler.open_transports() == 0; }));
  reader.join();
  CHECK((received == text));
  CHECK_FALSE(end.lost_reason());
}

TEST_CASE("F10 W7 what libuv waits with counts as waiting, and that it could not be sent is told") {
  recording_protocol end;
  loop scheduler(by_libuv);
  local::server server(scheduler, [&] { return borrow(end); });
  std::optional<raw_socket> peer =
      raw_socket::connected_to(server.listen(address::unix_abstract("sluice-portable-held-" + std::to_string(::getpid()))));
  CHECK(run_until(scheduler, [&] { return end.connection() != nullptr; }));
  transport& made = *end.connection();
  made.pause_reading();  // so that only the write can find out
  while (made.get_write_buffer_size() == 0) made.write(as_bytes(std::string(100, 'x')));
  CHECK(made.get_write_buffer_size() <= 100);
  peer.reset();
  CHECK(run_until(scheduler, [&] { return end.is_lost(); }));
  CHECK(end.lost_reason() == condition::peer_gone);
  server.close();
  CHECK(run_until(scheduler, [&] { return scheduler.open_transports() == 0; }));
}

TEST_CASE("S3 S4 S14 a server counts and closes connections by libuv's streams as any other") {
  const descriptor_balance balance;
  recording_protocol ends[2];
  loop scheduler(by_libuv);
  std::size_t made = 0;
  tcp::server server(scheduler, [&] { return borrow(ends[made++]); }, {.max_connections = 1});
  const address at = server.listen(address::loopback_v4(0));
  raw_socket first = raw_socket::connected_to(at);
  raw_socket second = raw_socket::connected_to(at);
  CHECK(run_until(scheduler, [&] { return ends[0].connection() != nullptr; }));
  CHECK(server.counters().connections == 1);
  server.close_clients();
  CHECK(run_until(scheduler, [&] { return ends[0].is_lost(); }));
  CHECK(first.receive_all().empty());
  CHECK(run_until(scheduler, [&] { return ends[1].connection() != nullptr; }));
  server.close();
  std::size_t cut_off = 0;
  bool closed = false;
  ends[1].on_shutting_down = [] { return shutdown_action::handled; };
  server.wait_closed(1ms, [&](std::size_t aborted) {
    cut_off = aborted;
    closed = true;
  });
  CHECK(run_until(scheduler, [&] { return closed; }));
  CHECK(cut_off == 1);
  CHECK(run_until(scheduler, [&] { return scheduler.open_transports() == 0; }));
}

TEST_CASE("P7 a Unix socket by libuv's streams knows its peer, and passes no descriptors") {
  const descriptor_balance balance;
  recording_protocol end;
  loop scheduler(by_libuv);
  local::server server(scheduler, [&] { return borrow(end); });
  raw_socket peer = raw_socket::connected_to(server.listen(address::unix_abstract("sluice-portable-" + std::to_string(::getpid()))));
  CHECK(run_until(scheduler, [&] { return end.connection() != nullptr; }));
  CHECK(end.connection()->info<transport_kind>()->value == std::string_view("unix"));
  CHECK(end.connection()->info<peer_credentials>()->process == ::getpid());
  descriptor passed(::dup(peer.get()));
  CHECK(local::send_descriptors(*end.connection(), {&passed, 1}, as_bytes("x")) == errc::not_supported);
  CHECK_FALSE(local::take_descriptor(*end.connection()));
  end.connection()->abort();
  server.close();
  CHECK(run_until(scheduler, [&] { return scheduler.open_transports() == 0; }));
}
