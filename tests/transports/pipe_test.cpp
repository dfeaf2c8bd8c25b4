#include <sluice/pipe.hpp>

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

namespace {

struct ends {
  descriptor from, to;
};

ends make_pipe() {
  int numbers[2];
  REQUIRE(::pipe2(numbers, O_CLOEXEC) == 0);
  return {descriptor(numbers[0]), descriptor(numbers[1])};
}

struct terminal {
  descriptor master, slave;
};

terminal make_terminal() {
  int master = -1, slave = -1;
  termios raw{};
  ::cfmakeraw(&raw);
  raw.c_cflag |= CREAD;
  REQUIRE(::openpty(&master, &slave, nullptr, &raw, nullptr) == 0);
  return {descriptor(master), descriptor(slave)};
}

std::string read_some(const descriptor& from) {
  std::array<char, 4096> room;
  const ssize_t n = ::read(from.get(), room.data(), room.size());
  return n > 0 ? std::string(room.data(), static_cast<std::size_t>(n)) : std::string();
}

void put(const descriptor& to, std::string_view text) {
  REQUIRE(::write(to.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

bool run_until_lost(loop& owner, const recording_protocol& end) {
  return run_until(owner, [&] { return end.is_lost() && owner.open_transports() == 0; });
}

}  // namespace

TEST_CASE("P1 a pipe, a socket and a terminal are taken, and closed with the transport") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol on_pipe, on_socket, on_terminal;
  auto [from, to] = make_pipe();
  int sockets[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  const descriptor peer(sockets[1]);
  auto [master, slave] = make_terminal();
  REQUIRE(pipe::open_read(owner, std::move(from), borrow(on_pipe)));
  REQUIRE(pipe::open(owner, descriptor(sockets[0]), borrow(on_socket)));
  REQUIRE(pipe::open(owner, std::move(slave), borrow(on_terminal)));
  put(to, "pipe");
  put(peer, "socket");
  put(master, "terminal");
  CHECK(run_until(owner, [&] { return on_pipe.received() + on_socket.received() + on_terminal.received() == "pipesocketterminal"; }));
  CHECK(on_socket.connection()->can_write_eof());
  CHECK_FALSE(on_terminal.connection()->can_write_eof());
  for (recording_protocol* each : {&on_pipe, &on_socket, &on_terminal}) each->connection()->close();
  CHECK(run_until_lost(owner, on_socket));
}

TEST_CASE("P1 what is no stream, or cannot be waited for, is refused and closed, with an error that says so") {
  const descriptor_balance balance;
  loop owner;
  const temporary_folder folder;
  recording_protocol never;
  const auto refused = [&](int opened) {
    REQUIRE(opened >= 0);
    const auto outcome = pipe::open(owner, descriptor(opened), borrow(never));
    CHECK_FALSE(outcome);
    CHECK(outcome.error() == errc::not_supported);
    return outcome.detail();
  };
  CHECK(refused(::open((folder / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)).find("is a regular file") != std::string::npos);
  CHECK(refused(::open("/dev/null", O_RDWR | O_CLOEXEC)).find("is a device that cannot be waited for") != std::string::npos);
  auto [from, to] = make_pipe();
  const auto wrong_way = pipe::open_write(owner, std::move(from), borrow(never));
  CHECK(wrong_way.error() == std::errc::bad_file_descriptor);
  CHECK(wrong_way.detail().find("is not open for writing") != std::string::npos);
  CHECK(pipe::open_read(owner, descriptor(), borrow(never)).error() == std::errc::bad_file_descriptor);
  const auto datagrams = pipe::open(owner, descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), borrow(never));
  CHECK(datagrams.detail().find("carries no stream") != std::string::npos);
  CHECK(never.events().empty());
}

TEST_CASE("P2 a write pipe notices that the reader has gone without writing, which is an orderly end if all was sent") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol writer;
  auto [from, to] = make_pipe();
  REQUIRE(pipe::open_write(owner, std::move(to), borrow(writer)));
  writer.connection()->write("all of it");
  CHECK(read_some(from) == "all of it");
  CHECK(iterations_during(owner, 30ms) < 20);
  from.close();
  CHECK(run_until_lost(owner, writer));
  CHECK(writer.trace() == "made, lost");
}

TEST_CASE("P2 a write pipe whose reader goes while bytes wait is lost with EPIPE") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol writer;
  auto [from, to] = make_pipe();
  REQUIRE(pipe::open_write(owner, std::move(to), borrow(writer)));
  writer.connection()->write(std::string(300'000, 'x'));
  CHECK(iterations_during(owner, 10ms) < 20);
  from.close();
  CHECK(run_until_lost(owner, writer));
  CHECK(writer.trace() == "made, pause, lost uv:32");
}

TEST_CASE("P3 write_eof on a write pipe closes it, behind what is queued") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol writer, reader;
  auto [from, to] = make_pipe();
  REQUIRE(pipe::open_write(owner, std::move(to), borrow(writer)));
  REQUIRE(pipe::open_read(owner, std::move(from), borrow(reader)));
  CHECK(writer.connection()->can_write_eof());
  CHECK_FALSE(writer.connection()->is_reading());
  const std::string sent = numbered(300'000);
  writer.connection()->write(sent);
  CHECK_FALSE(writer.connection()->write_eof());
  CHECK(writer.connection()->is_closing());
  CHECK(writer.connection()->write("late") == write_status::dropped);
  CHECK(run_until_lost(owner, reader));
  CHECK(reader.received() == sent);
  CHECK(writer.trace() == "made, pause, lost");
}

TEST_CASE("E10 P3 a read pipe has no output to end, closes at the end of input, whatever eof_received answers, and takes no writes") {
  const descriptor_balance balance;
  loop owner;
  std::string reported;
  owner.on_error([&](const error_event& event) { reported += describe(event); });
  recording_protocol reader;
  reader.on_eof = [] { return eof::keep_open; };
  auto [from, to] = make_pipe();
  REQUIRE(pipe::open_read(owner, std::move(from), borrow(reader)));
  CHECK(reader.connection()->can_write_eof());
  CHECK_FALSE(reader.connection()->write_eof());
  CHECK(reader.connection()->write("no way out") == write_status::dropped);
  CHECK(reported.find("can only be read") != std::string::npos);
  put(to, "last");
  to.close();
  CHECK(run_until_lost(owner, reader));
  CHECK(reader.trace() == "made, data 4, eof, lost");
}

TEST_CASE("X5 what a protocol over a pipe throws ends it as on every other transport") {
  loop owner;
  owner.on_error([](const error_event&) {});
  recording_protocol reader;
  reader.on_data = [](const_bytes) { throw std::runtime_error("planted"); };
  auto [from, to] = make_pipe();
  REQUIRE(pipe::open_read(owner, std::move(from), borrow(reader)));
  put(to, "x");
  CHECK(run_until_lost(owner, reader));
  CHECK(reader.trace() == "made, data 1, lost sluice:3");
}

TEST_CASE("P4 a pseudo-terminal is read to the end, and that its other side has gone is the end of input, not an error") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol master;
  auto [near, slave] = make_terminal();
  REQUIRE(pipe::open(owner, std::move(near), borrow(master)));
  master.connection()->write("to the slave");
  CHECK(read_some(slave) == "to the slave");
  put(slave, "from the slave");
  slave.close();
  CHECK(run_until_lost(owner, master));
  CHECK(master.trace() == "made, data 14, eof, lost");
}

TEST_CASE("P4 a master whose slave has gone does not spin, paused, kept open or with bytes that nobody takes") {
  const descriptor_balance balance;
  loop owner;
  for (const bool paused : {true, false}) {
    recording_protocol master;
    master.on_eof = [] { return eof::keep_open; };
    auto [near, slave] = make_terminal();
    REQUIRE(pipe::open(owner, std::move(near), borrow(master)));
    if (paused) master.connection()->pause_reading();
    slave.close();
    CHECK(iterations_during(owner, 50ms) < 20);
    CHECK(master.trace() == (paused ? "made" : "made, eof"));
    if (!paused) {
      master.connection()->write(std::string(300'000, 'x'));
      CHECK(run_until_lost(owner, master));
      CHECK(master.lost_reason());
    } else {
      master.connection()->abort();
      CHECK(run_until_lost(owner, master));
    }
  }
}

TEST_CASE("P4 a slave hears that the master has gone") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol slave;
  auto [master, near] = make_terminal();
  REQUIRE(pipe::open(owner, std::move(near), borrow(slave)));
  put(master, "hello");
  CHECK(run_until(owner, [&] { return slave.received() == "hello"; }));
  master.close();
  CHECK(run_until_lost(owner, slave));
  CHECK(slave.count("eof") <= 1);
}

TEST_CASE("a pipe in two descriptors goes on being read when nobody reads its output any more") {
  const descriptor_balance balance;
  loop owner;
  recording_protocol both;
  auto [there_from, there_to] = make_pipe();
  auto [back_from, back_to] = make_pipe();
  REQUIRE(pipe::open(owner, std::move(back_from), std::move(there_to), borrow(both)));
  CHECK(both.connection()->info<transport_kind>()->value == "pipe");
  there_from.close();
  CHECK(iterations_during(owner, 30ms) < 20);
  put(back_to, "still here");
  CHECK(run_until(owner, [&] { return both.received() == "still here"; }));
  both.connection()->write("nobody");
  put(back_to, ", and here");
  back_to.close();
  CHECK(run_until_lost(owner, both));
  CHECK(both.received() == "still here, and here");
  CHECK(both.lost_reason() == std::errc::broken_pipe);
}
