#include <sluice/stdio.hpp>

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>
#include <sluice/schemes.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

namespace {

// While it lives, 0 and 1 of this process are something else.
class standard_streams {
 public:
  standard_streams(const descriptor& input, const descriptor& output) {
    for (const int number : {0, 1}) kept_[number] = descriptor(::fcntl(number, F_DUPFD_CLOEXEC, 10));
    ::dup2(input.get(), 0);
    ::dup2(output.get(), 1);
  }
  standard_streams(const standard_streams&) = delete;
  standard_streams& operator=(const standard_streams&) = delete;
  ~standard_streams() {
    for (const int number : {0, 1}) ::dup2(kept_[number].get(), number);
  }

 private:
  descriptor kept_[2];
};

struct ends {
  descriptor from, to;
};
ends make_pipe() {
  int numbers[2];
  REQUIRE(::pipe2(numbers, O_CLOEXEC) == 0);
  return {descriptor(numbers[0]), descriptor(numbers[1])};
}

std::string content(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

bool is_nonblocking(int number) { return (::fcntl(number, F_GETFL) & O_NONBLOCK) != 0; }

// What a child process returns that does `work`.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) std::exit(work());
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class copying final : public protocol {
 public:
  void connection_made(transport& made) override { transport_ = &made; }
  void data_received(const_bytes data) override { transport_->write(data); }

 private:
  transport* transport_ = nullptr;
};

}  // namespace

TEST_CASE("P5 standard input and output are one transport, and blocking again after it") {
  const descriptor_balance balance;
  auto [in, feed] = make_pipe();
  auto [taken, out] = make_pipe();
  {
    const standard_streams changed(in, out);
    loop owner;
    recording_protocol both, another;
    REQUIRE(stdio::open(owner, borrow(both)));
    CHECK(is_nonblocking(in.get()));
    CHECK(is_nonblocking(out.get()));
    CHECK(stdio::open(owner, borrow(another)).error() == std::errc::device_or_resource_busy);
    REQUIRE(::write(feed.get(), "hello", 5) == 5);
    CHECK(run_until(owner, [&] { return both.received() == "hello"; }));
    both.connection()->write("answer");
    out.close();
    both.connection()->write_eof();
    char room[100];
    CHECK(run_until(owner, [result = taken.get()] { return wait_for(result, 1) != 0; }));
    CHECK(::read(taken.get(), room, sizeof room) == 6);
    CHECK(::read(taken.get(), room, sizeof room) == 0);  // the end, although 1 is still open: it is /dev/null
    feed.close();
    CHECK(run_until(owner, [&] { return both.is_lost() && owner.open_transports() == 0; }));
    CHECK(both.trace() == "made, data 5, eof, lost");
    CHECK_FALSE(is_nonblocking(in.get()));
    REQUIRE(stdio::open(owner, borrow(another)));
    another.connection()->abort();
    CHECK(run_until(owner, [&] { return owner.open_transports() == 0; }));
  }
}

TEST_CASE("P1 stdio takes files and /dev/null, which are read and written to the end") {
  const descriptor_balance balance;
  const temporary_folder folder;
  const std::string sent = numbered(300'000);
  std::ofstream(folder / "in") << sent;
  {
    const descriptor in(::open((folder / "in").c_str(), O_RDONLY | O_CLOEXEC));
    const descriptor out(::open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const standard_streams changed(in, out);
    loop owner;
    REQUIRE(stdio::open(owner, std::make_unique<copying>()));
    owner.run();
    CHECK(owner.open_transports() == 0);
  }
  CHECK(content(folder / "out") == sent);
  {
    const descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const standard_streams changed(null, null);
    loop owner;
    recording_protocol nothing;
    nothing.on_made = [](transport& made) { made.write("into the void"); };
    REQUIRE(stdio::open(owner, borrow(nothing)));
    owner.run();
    CHECK(nothing.trace() == "made, eof, lost");
  }
}

TEST_CASE("P1 a file that cannot be written is the reason of connection_lost") {
  const descriptor in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const standard_streams changed(in, full);
  loop owner;
  recording_protocol both;
  both.on_eof = [] { return eof::keep_open; };
  REQUIRE(stdio::open(owner, borrow(both)));
  both.connection()->write(std::string(200'000, 'x'));
  owner.run();
  CHECK(both.is_lost());
  CHECK(both.lost_reason() == std::errc::no_space_on_device);
}

TEST_CASE("P5 terminal modes are restored at the end of the transport, and by exit") {
  int master = -1, slave = -1;
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  const descriptor one(master), other(slave);
  termios before{}, now{};
  REQUIRE(::tcgetattr(slave, &before) == 0);
  for (const bool exits : {false, true}) {
    CHECK(in_child([&] {
            ::dup2(slave, 0);
            ::dup2(slave, 1);
            static recording_protocol both;
            static loop owner;  // not destroyed before exit
            if (!stdio::open(owner, borrow(both), {.raw = true})) return 1;
            ::tcgetattr(slave, &now);
            if ((now.c_lflag & (ICANON | ECHO)) != 0 || !is_nonblocking(slave)) return 2;
            if (exits) ::_exit(in_child([] { return 0; }) == 0 ? (std::exit(3), 0) : 4);
            both.connection()->close();
            owner.run();
            return is_nonblocking(slave) ? 5 : 3;
          }) == 3);
    REQUIRE(::tcgetattr(slave, &now) == 0);
    CHECK(now.c_lflag == before.c_lflag);
    CHECK_FALSE(is_nonblocking(slave));
  }
}

TEST_CASE("the endpoint stdio: connects to standard input and output, and says what is wrong with it") {
  auto [in, feed] = make_pipe();
  auto [taken, out] = make_pipe();
  const standard_streams changed(in, out);
  loop owner;
  recording_protocol both;
  bool connected = false;
  const auto attempt = connect(
      owner, "stdio:", [&] { return borrow(both); }, [&](const result<transport&>& made) { connected = static_cast<bool>(made); });
  CHECK(both.events().empty());
  CHECK(run_until(owner, [&] { return connected; }));
  both.connection()->close();
  CHECK(run_until(owner, [&] { return owner.open_transports() == 0; }));
  CHECK_THROWS_WITH_AS((void)connect(owner, "stdio:/x", [&] { return borrow(both); }), doctest::Contains("has neither a host nor a path"),
                       bad_endpoint);
  CHECK_THROWS_WITH_AS((void)connect(owner, "stdio:?mode=1", [&] { return borrow(both); }), doctest::Contains("not a known option"),
                       bad_endpoint);
}
