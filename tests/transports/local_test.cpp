#include <sluice/local.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/timer.hpp>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using namespace std::string_literals;
using sluice::testing::lost_line;
using sluice::testing::recording_protocol;

namespace {

namespace fs = std::filesystem;
using lines = std::vector<std::string>;

const auto connection_reset = lost_line(system_error(ECONNRESET));

// A loop and the two ends of one connection, the accepted one first.
struct site {
  site() {
    scheduler.on_error([](const error_event& event) { FAIL_CHECK(describe(event)); });
  }

  protocol_factory factory() {
    return [this] { return borrow(end); };
  }
  connecting connect(const address& to, const local::options& settings = {}) {
    return local::connect(
        scheduler, to, [this] { return borrow(client); },
        [this](const result<transport&>& outcome) {
          code = outcome.error();
          detail = outcome.detail();
          client.note(outcome ? "connected" : "failed");
        },
        settings);
  }
  bool run_until_completed() {
    return run_until(scheduler, [this] { return client.count("connected") + client.count("failed") == 1; });
  }
  bool run_until_made() {
    return run_until(scheduler, [this] { return end.connection() != nullptr; });
  }
  bool run_until_closed() {
    return run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }
  void end_all() {
    scheduler.for_each_transport([](transport& each) { each.abort(); });
    run_until_closed();
  }
  transport& connection() { return *end.connection(); }
  int native() { return connection().info<native_descriptor>()->value; }
  void settle() { iterations_during(scheduler, 10ms); }
  bool is_quiet() { return iterations_during(scheduler, 50ms) < 10; }

  std::error_code code;
  std::string detail;
  recording_protocol end, client;
  loop scheduler;
};

// An accepted connection whose peer is a plain socket.
struct accepted : site {
  accepted() {
    local::server server(scheduler, factory());
    peer = raw_socket::connected_to(server.listen(address::unix_path(folder / "x.sock")));
    run_until_made();
  }
  temporary_folder folder;
  raw_socket peer;
};

std::string listening_on(const address& at, int error, const std::string& why = "") {
  return "listening on " + at.to_string() + ": " + why + system_error(error).message();
}

}  // namespace

TEST_CASE("a server and a client meet at a path, and the file is gone when the server is closed") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  local::server server(here.scheduler, here.factory());
  const address at = address::unix_path(folder / "x.sock");
  CHECK(server.listen(at) == at);
  CHECK(server.sockets() == std::vector<address>{at});
  CHECK(fs::is_socket(at.path()));
  const connecting attempt = here.connect(at);
  CHECK(here.run_until_completed());
  CHECK(here.client.events() == lines{"made", "connected"});
  CHECK(here.run_until_made());
  here.client.connection()->write("over here");
  CHECK(run_until(here.scheduler, [&] { return here.end.received() == "over here"; }));
  server.close();
  CHECK_FALSE(server.is_serving());
  CHECK(server.sockets().empty());
  CHECK_FALSE(fs::exists(at.path()));
  here.connection().close();
  CHECK(here.run_until_closed());
  CHECK(here.client.trace() == "made, connected, eof, lost");
}

TEST_CASE("P6 an abstract name may hold any byte and be as long as the system allows, and never touches the file system") {
  const descriptor_balance balance;
  const std::string unique = "sluice-test-" + std::to_string(::getpid());
  for (const std::string& name : {unique, unique + "\0with\xff\0"s, (unique + std::string(200, 'n')).substr(0, address::max_unix_name())}) {
    CAPTURE(name.size());
    site here;
    local::server server(here.scheduler, here.factory());
    const address at = address::unix_abstract(name);
    CHECK(server.listen(at) == at);
    const connecting attempt = here.connect(at);
    CHECK(here.run_until_completed());
    CHECK(here.run_until_made());
    CHECK(here.client.connection()->info<peer_address>()->value.abstract_name() == name);
    CHECK(here.connection().info<local_address>()->value.abstract_name() == name);
    std::error_code error;
    CHECK(local::server(here.scheduler, here.factory()).listen(at, error).empty());
    CHECK(error == std::errc::address_in_use);
    here.end_all();
  }
  CHECK_FALSE(fs::exists(unique));
}

TEST_CASE("P6 a path may be as long as the system allows; a longer one is an error that says so") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const std::string start = folder / "";
  const std::string longest = start + std::string(address::max_unix_name() - start.size(), 'p');
  local::server server(here.scheduler, here.factory());
  CHECK(server.listen(address::unix_path(longest)).path() == longest);
  const connecting attempt = here.connect(address::unix_path(longest));
  CHECK(here.run_until_completed());
  CHECK(here.client.connection()->info<peer_address>()->value.path() == longest);
  CHECK_THROWS_AS(address::unix_path(longest + 'q'), std::system_error);
  here.run_until_made();
  here.end_all();
}

TEST_CASE("S13 a socket file that nobody listens on is replaced, unless that is turned off") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const address at = address::unix_path(folder / "stale.sock");
  raw_socket::listening_at(at).close();
  REQUIRE(fs::is_socket(at.path()));
  local::server careful(here.scheduler, here.factory(), {.remove_stale = false});
  CHECK_THROWS_WITH_AS(careful.listen(at), listening_on(at, EADDRINUSE).c_str(), std::system_error);
  local::server server(here.scheduler, here.factory());
  CHECK(server.listen(at) == at);
  const raw_socket peer = raw_socket::connected_to(at);
  CHECK(here.run_until_made());
  here.end_all();
}

TEST_CASE("S13 a socket file that somebody listens on is left alone, also if he takes no more connections") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const address at = address::unix_path(folder / "live.sock");
  const raw_socket owner = raw_socket::listening_at(at, 0);
  local::server server(here.scheduler, here.factory());
  std::error_code error;
  CHECK(server.listen(at, error).empty());
  CHECK(error == std::errc::address_in_use);
  owner.accept().close();  // the question whether he is there
  const raw_socket only_guest = raw_socket::connected_to(at);
  CHECK(server.listen(at, error).empty());
  CHECK(error == std::errc::address_in_use);
  CHECK(fs::is_socket(at.path()));
  const raw_socket guest = owner.accept();
  CHECK(guest.get() >= 0);
}

TEST_CASE("S13 anything that is not a socket is left alone") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  local::server server(here.scheduler, here.factory());
  const address file = address::unix_path(folder / "file");
  std::ofstream(std::string(file.path())) << "precious";
  const address link = address::unix_path(folder / "link");
  raw_socket::listening_at(address::unix_path(folder / "elsewhere")).close();
  fs::create_symlink(folder / "elsewhere", link.path());
  const address directory = address::unix_path(folder / "directory");
  fs::create_directory(directory.path());
  for (const address& at : {file, link, directory})
    CHECK_THROWS_WITH_AS(server.listen(at), listening_on(at, EADDRINUSE, "what is there is no socket: ").c_str(), std::system_error);
  CHECK(fs::file_size(file.path()) == 8);
  CHECK(fs::is_symlink(link.path()));
  const address nowhere = address::unix_path(folder / "no/such/folder");
  CHECK_THROWS_WITH_AS(server.listen(nowhere), listening_on(nowhere, ENOENT, "its folder is missing: ").c_str(), std::system_error);
  CHECK_FALSE(server.is_serving());
}

TEST_CASE("S13 the file is removed at close only if it is still the server's own") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const address at = address::unix_path(folder / "x.sock");
  local::server server(here.scheduler, here.factory());
  server.listen(at);
  SUBCASE("another server has taken the place") {
    fs::remove(at.path());
    const raw_socket heir = raw_socket::listening_at(at);
    server.close();
    CHECK(fs::is_socket(at.path()));
  }
  SUBCASE("it was removed already") {
    fs::remove(at.path());
    server.close();
    CHECK_FALSE(fs::exists(at.path()));
  }
  SUBCASE("it was moved") {
    fs::rename(at.path(), folder / "moved");
    server.close();
    CHECK(fs::is_socket(folder / "moved"));
  }
}

TEST_CASE("S13 the file goes with the server's object and with its loop, too") {
  const descriptor_balance balance;
  const temporary_folder folder;
  const address at = address::unix_path(folder / "x.sock");
  auto here = std::make_unique<site>();
  { local::server(here->scheduler, here->factory()).listen(at); }
  CHECK_FALSE(fs::exists(at.path()));
  local::server server(here->scheduler, here->factory());
  server.listen(at);
  CHECK(fs::exists(at.path()));
  here.reset();
  CHECK_FALSE(fs::exists(at.path()));
}

TEST_CASE("S13 the file has the permissions that were asked for, else those of the umask") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const auto mode_of = [](const address& at) {
    struct stat found {};
    CHECK(::stat(std::string(at.path()).c_str(), &found) == 0);
    return found.st_mode & 0777;
  };
  local::server open(here.scheduler, here.factory(), {.mode = 0666});
  CHECK(mode_of(open.listen(address::unix_path(folder / "open"))) == 0666);
  local::server secret(here.scheduler, here.factory(), {.mode = 0600});
  CHECK(mode_of(secret.listen(address::unix_path(folder / "secret"))) == 0600);
  const mode_t mask = ::umask(027);
  local::server usual(here.scheduler, here.factory());
  CHECK(mode_of(usual.listen(address::unix_path(folder / "usual"))) == 0750);
  ::umask(mask);
  local::server nameless(here.scheduler, here.factory(), {.mode = 0600});  // says nothing to an abstract name
  CHECK_FALSE(nameless.listen(address::unix_abstract("sluice-mode-" + std::to_string(::getpid()))).empty());
}

TEST_CASE("S13 the file is given to the user and the group that were asked for, and what that fails with is told") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const address at = address::unix_path(folder / "given");
  const std::string path(at.path());
  struct stat found {};
  if (::geteuid() == 0) {
    local::server server(here.scheduler, here.factory(), {.user = 12345, .group = 54321});
    server.listen(at);
    CHECK(::stat(path.c_str(), &found) == 0);
    CHECK(found.st_uid == 12345);
    CHECK(found.st_gid == 54321);
    local::server other(here.scheduler, here.factory(), {.group = 54321});
    other.listen(address::unix_path(path + "-to-a-group"));
    CHECK(::stat((path + "-to-a-group").c_str(), &found) == 0);
    CHECK(found.st_uid == ::geteuid());
    CHECK(found.st_gid == 54321);
  } else {
    local::server server(here.scheduler, here.factory(), {.user = ::geteuid() + 1});
    const std::string text = "listening on " + at.to_string() + ": setting its owner: " + system_error(EPERM).message();
    CHECK_THROWS_WITH_AS(server.listen(at), text.c_str(), std::system_error);
    CHECK_FALSE(fs::exists(path));
    local::server own(here.scheduler, here.factory(), {.user = ::geteuid(), .group = ::getegid()});
    CHECK(own.listen(at) == at);
  }
}

TEST_CASE("S13 the file stays at close if that was asked for, or if it is left to another process") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const address kept = address::unix_path(folder / "kept");
  const address left = address::unix_path(folder / "left");
  local::server keeping(here.scheduler, here.factory(), {.remove_file = false});
  keeping.listen(kept);
  keeping.close();
  CHECK(fs::is_socket(kept.path()));
  local::server leaving(here.scheduler, here.factory());
  leaving.listen(left);
  leaving.close(waiting_clients::leave);
  CHECK(fs::is_socket(left.path()));
}

TEST_CASE("an address of another family, or without a name, is refused by servers and clients") {
  const descriptor_balance balance;
  site here;
  local::server server(here.scheduler, here.factory());
  for (const address& wrong : {address(), address::loopback_v4(0), address::unix_unnamed()}) {
    std::error_code error;
    CHECK(server.listen(wrong, error).empty());
    CHECK(error == errc::bad_address);
    here.client.forget();
    const connecting attempt = here.connect(wrong);
    CHECK(here.run_until_completed());
    CHECK(here.code == errc::bad_address);
  }
}

TEST_CASE("N11 a path without a file, or without a listener, is told as such in a later turn") {
  const descriptor_balance balance;
  const temporary_folder folder;
  const address missing = address::unix_path(folder / "missing");
  const address dead = address::unix_path(folder / "dead");
  raw_socket::listening_at(dead).close();
  const std::pair<address, int> rows[] = {{missing, ENOENT}, {dead, ECONNREFUSED}};
  for (const auto& [at, expected] : rows) {
    site here;
    const connecting attempt = here.connect(at);
    CHECK(here.client.events().empty());
    CHECK(here.run_until_completed());
    CHECK(here.code == system_error(expected));
    CHECK(here.detail == "connecting to " + at.to_string() + ": " + system_error(expected).message());
  }
}

TEST_CASE("N7 a cancelled attempt leaves nothing open, although the system had connected it") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const raw_socket listener = raw_socket::listening_at(address::unix_path(folder / "x.sock"));
  const int before = open_descriptors();
  { const connecting attempt = here.connect(listener.local_address()); }
  CHECK(open_descriptors() == before);
  here.scheduler.run();
  CHECK(here.client.events().empty());
  CHECK(listener.accept().receive_all().empty());
}

TEST_CASE("I4 each end knows who is at the other, as the kernel tells it") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  local::server server(here.scheduler, here.factory());
  const address at = server.listen(address::unix_path(folder / "x.sock"));
  const connecting attempt = here.connect(at);
  CHECK(here.run_until_completed());
  CHECK(here.run_until_made());
  for (recording_protocol* each : {&here.client, &here.end}) {
    const transport& made = *each->connection();
    REQUIRE(made.info<peer_credentials>());
    CHECK(made.info<peer_credentials>()->process == ::getpid());
    CHECK(made.info<peer_credentials>()->user == ::getuid());
    CHECK(made.info<peer_credentials>()->group == ::getgid());
    CHECK(made.info<transport_kind>()->value == "unix");
    CHECK(::fcntl(made.info<native_descriptor>()->value, F_GETFD) == FD_CLOEXEC);
    each->on_lost = [each](std::error_code) {  // I2
      CHECK(each->connection()->info<peer_credentials>()->process == ::getpid());
      CHECK(each->connection()->info<transport_kind>()->value == "unix");
    };
  }
  CHECK(here.client.connection()->info<peer_address>()->value == at);
  CHECK(here.client.connection()->info<local_address>()->value == address::unix_unnamed());
  CHECK(here.connection().info<peer_address>()->value == address::unix_unnamed());
  CHECK(here.connection().info<local_address>()->value == at);
  here.end_all();
}

TEST_CASE("R7 a peer that closes while reading is paused does not spin; what it sent and its end come when reading goes on") {
  const descriptor_balance balance;
  accepted here;
  here.connection().pause_reading();
  here.settle();
  here.peer.send("unread");
  here.peer.close();
  wait_for(here.native(), POLLHUP);
  CHECK(here.is_quiet());
  CHECK(here.end.events() == lines{"made"});
  here.connection().resume_reading();
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 6, eof, lost");
}

TEST_CASE("L13 a peer that closes without having read is a reset, behind what it sent") {
  const descriptor_balance balance;
  accepted here;
  here.connection().write("never read");
  here.peer.send("last words");
  here.peer.close();
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 10, " + connection_reset);
}

TEST_CASE("R7 a peer that closes without having read is noticed at once while reading is paused") {
  const descriptor_balance balance;
  accepted here;
  here.connection().pause_reading();
  here.settle();
  here.connection().write("never read");
  here.peer.close();
  CHECK(here.run_until_closed());
  CHECK(here.end.events() == lines{"made", connection_reset});
}

TEST_CASE("W7 a write to a peer that is gone drops what follows; what it had sent is read, then the error is told once") {
  const descriptor_balance balance;
  accepted here;
  here.peer.send("last words");
  here.peer.close();
  CHECK(here.connection().write("into the void") == write_status::dropped);
  CHECK(here.connection().write("again") == write_status::dropped);
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 10, " + lost_line(system_error(EPIPE)));
}

TEST_CASE("C6 the tail of the output reaches a peer whose own output was never read") {
  const descriptor_balance balance;
  accepted here;
  const std::string tail = numbered(50'000);
  here.connection().pause_reading();
  here.peer.send("nobody reads this");
  here.connection().write(tail);
  here.connection().close();
  CHECK(run_until(here.scheduler, [&] { return here.end.is_lost(); }));
  CHECK(here.scheduler.open_transports() == 1);  // lingers
  CHECK(here.peer.receive_all() == tail);
  CHECK(here.peer.error() == 0);
  here.peer.close();
  CHECK(here.run_until_closed());
}

TEST_CASE("bulk goes both ways at once, byte for byte") {
  const descriptor_balance balance;
  accepted here;
  const std::string there = numbered(3'000'000), back = numbered(2'500'000);
  here.end.on_pause = [] { return backpressure::handled; };
  std::string received;
  std::thread reader([&] { received = here.peer.receive_all(); });
  std::thread writer([&] {
    here.peer.send(there);
    here.peer.end_output();
  });
  here.connection().write(back);
  here.connection().write_eof();
  CHECK(here.run_until_closed());
  reader.join();
  writer.join();
  CHECK((received == back));
  CHECK((here.end.received() == there));
  CHECK_FALSE(here.end.lost_reason());
}

TEST_CASE("P8 both ends of a socket pair can be adopted, and are as any other connection from then on") {
  const descriptor_balance balance;
  site here;
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  const result<transport&> made = local::adopt(here.scheduler, descriptor(pair[0]), borrow(here.end));
  REQUIRE(made);
  CHECK(here.end.events() == lines{"made"});
  CHECK(&*made == here.end.connection());
  const result<transport&> other = local::adopt(here.scheduler, descriptor(pair[1]), borrow(here.client), {.stream = {.linger = 0ms}});
  REQUIRE(other);
  CHECK(other->options().linger == 0ms);
  for (const int each : pair) {
    CHECK((::fcntl(each, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(::fcntl(each, F_GETFD) == FD_CLOEXEC);
  }
  CHECK(made->info<transport_kind>()->value == "unix");
  CHECK(made->info<peer_address>()->value == address::unix_unnamed());
  CHECK(made->info<peer_credentials>()->process == ::getpid());
  const std::string bulk = numbered(1'000'000);
  made->write(bulk);
  other->write("and back");
  CHECK(run_until(here.scheduler, [&] { return here.client.received().size() == bulk.size() && here.end.received() == "and back"; }));
  CHECK((here.client.received() == bulk));
  made->close();
  CHECK(here.run_until_closed());
  CHECK(here.client.trace() == "made, data 1000000, eof, lost");
}

TEST_CASE("P8 an inherited descriptor may have been connected by path") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const raw_socket listener = raw_socket::listening_at(address::unix_path(folder / "x.sock"));
  raw_socket client = raw_socket::connected_to(listener.local_address());
  const int number = ::fcntl(client.get(), F_DUPFD_CLOEXEC, 0);
  client.close();
  const result<transport&> made = local::adopt(here.scheduler, descriptor(number), borrow(here.end));
  REQUIRE(made);
  CHECK(made->info<peer_address>()->value == listener.local_address());
  here.end_all();
}

TEST_CASE("P8 what is no connected Unix stream socket is refused with what it should be, and closed") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const auto socket = [](int family, int type) { return descriptor(::socket(family, type | SOCK_CLOEXEC, 0)); };
  const auto listening = [&] {
    const raw_socket made = raw_socket::listening_at(address::unix_path(folder / "x.sock"));
    return descriptor(::fcntl(made.get(), F_DUPFD_CLOEXEC, 0));
  };
  const auto refuse = [&](descriptor wrong, int expected) {
    const std::string prefix = "adopting descriptor " + std::to_string(wrong.get()) + ": ";
    const result<transport&> made = local::adopt(here.scheduler, std::move(wrong), borrow(here.end));
    REQUIRE_FALSE(made);
    CHECK(made.error() == system_error(expected));
    CHECK(made.detail() == prefix + system_error(expected).message() + "; expected a connected Unix stream socket");
  };
  refuse(descriptor(), EBADF);
  refuse(descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)), ENOTSOCK);
  refuse(socket(AF_UNIX, SOCK_DGRAM), EPROTOTYPE);
  refuse(socket(AF_UNIX, SOCK_SEQPACKET), EPROTOTYPE);
  refuse(socket(AF_INET, SOCK_STREAM), EAFNOSUPPORT);
  refuse(socket(AF_UNIX, SOCK_STREAM), ENOTCONN);
  refuse(listening(), ENOTCONN);
  CHECK(here.end.events().empty());
  CHECK(here.scheduler.open_transports() == 0);
}

TEST_CASE("P8 an exception of connection_made is the error, and the connection is aborted") {
  const descriptor_balance balance;
  site here;
  here.scheduler.on_error([&](const error_event& event) { here.client.note(event.what); });
  here.end.on_made = [](transport&) { throw std::runtime_error("planted"); };
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  raw_socket peer(pair[1]);
  const result<transport&> made = local::adopt(here.scheduler, descriptor(pair[0]), borrow(here.end));
  CHECK(made.error() == errc::protocol_threw);
  CHECK(here.run_until_closed());
  CHECK(here.end.events() == lines{"made", lost_line(errc::protocol_threw)});
  CHECK(here.client.events() == lines{"connection_made"});
  CHECK(peer.receive_all().empty());
}
