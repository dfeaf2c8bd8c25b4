#include <sluice/pty.hpp>

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/memory.hpp>
#include <sluice/schemes.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

namespace {

namespace fs = std::filesystem;

// What a program that knows nothing of us does with a serial port.
class program {
 public:
  explicit program(const std::string& port) : port_(::open(port.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) {
    REQUIRE(port_.is_open());
  }

  void write(std::string_view text) const { REQUIRE(::write(port_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())); }
  // What is there now.
  std::string read() const {
    std::array<char, 8192> room;
    const ssize_t n = ::read(port_.get(), room.data(), room.size());
    return n > 0 ? std::string(room.data(), static_cast<std::size_t>(n)) : std::string();
  }
  bool hung_up() const { return (wait_for(port_.get(), POLLHUP) & POLLHUP) != 0; }
  bool can_read() const {
    pollfd now{port_.get(), POLLIN, 0};
    return ::poll(&now, 1, 0) == 1 && (now.revents & POLLIN) != 0;
  }
  termios settings() const {
    termios now{};
    REQUIRE(::tcgetattr(port_.get(), &now) == 0);
    return now;
  }
  void set(const termios& wanted) const { REQUIRE(::tcsetattr(port_.get(), TCSANOW, &wanted) == 0); }
  void close() { port_.close(); }

 private:
  descriptor port_;
};

struct bench {
  // The terminal is gone, and nothing of it is left.
  bool end() {
    if (peer.connection() != nullptr) peer.connection()->close();
    return run_until(owner, [this] { return peer.is_lost() && owner.open_transports() == 0; });
  }
  bool heard(std::string_view all) {
    return run_until(owner, [&] { return peer.received() == all; });
  }
  transport& export_at(const std::string& link, const pty::options& settings = {}) {
    auto made = pty::open(owner, link, borrow(peer), settings);
    REQUIRE_MESSAGE(made, made.detail());
    return *made;
  }

  descriptor_balance balance;
  temporary_folder folder;
  loop owner;
  recording_protocol peer;
};

std::string every_byte() {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  return all;
}

}  // namespace

TEST_CASE("Z11 a program opens the link as a port, and each byte passes unchanged both ways") {
  bench at;
  const std::string link = at.folder / "port";
  transport& exported = at.export_at(link);
  const auto names = exported.info<pty::name>();
  CHECK(names->link == link);
  CHECK(fs::read_symlink(link) == names->terminal);
  CHECK(exported.info<transport_kind>()->value == "pty");
  CHECK_FALSE(exported.can_write_eof());
  const program user(link);
  user.write(every_byte());
  CHECK(at.heard(every_byte()));
  exported.write(every_byte());
  CHECK(run_until(at.owner, [&] { return user.can_read(); }));
  CHECK(user.read() == every_byte());
  CHECK(at.end());
  CHECK_FALSE(fs::exists(fs::symlink_status(link)));
  CHECK(user.hung_up());
}

TEST_CASE("Z11 programs come and go, nothing spins meanwhile, and their settings stay") {
  bench at;
  const std::string link = at.folder / "port";
  at.export_at(link);
  for (const std::string_view text : {"first", "second"}) {
    program user(link);
    termios wanted = user.settings();
    if (text == "first") {
      ::cfsetspeed(&wanted, B9600);
      user.set(wanted);
    }
    CHECK(::cfgetospeed(&wanted) == B9600);
    user.write(text);
  }
  CHECK(at.heard("firstsecond"));
  CHECK(iterations_during(at.owner, 50ms) < 10);
  CHECK(at.peer.trace() == "made, data 11");
  CHECK(at.end());
}

TEST_CASE("Z11 what is written while nobody has it open waits for the next program") {
  bench at;
  transport& exported = at.export_at(at.folder / "port");
  exported.write("early");
  const program user(at.folder / "port");
  CHECK(run_until(at.owner, [&] { return user.can_read(); }));
  CHECK(user.read() == "early");
  CHECK(at.end());
}

TEST_CASE("Z12 with hangup::end the last program that closes it is the end of input, however brief its visit") {
  bench at;
  at.export_at(at.folder / "port", {.on_hangup = pty::hangup::end});
  CHECK(iterations_during(at.owner, 20ms) < 10);
  program(at.folder / "port").write("brief");
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
  CHECK(at.peer.trace() == "made, data 5, eof, lost");
}

TEST_CASE("Z12 with hangup::end one of two programs may leave") {
  bench at;
  at.export_at(at.folder / "port", {.on_hangup = pty::hangup::end});
  program first(at.folder / "port");
  program second(at.folder / "port");
  first.write("1");
  CHECK(at.heard("1"));
  first.close();
  second.write("2");
  CHECK(at.heard("12"));
  CHECK(at.peer.trace() == "made, data 2");
  second.close();
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
}

TEST_CASE("Z12 a hang-up while nothing is read does not spin, and is told once reading goes on") {
  bench at;
  transport& exported = at.export_at(at.folder / "port", {.on_hangup = pty::hangup::end});
  exported.pause_reading();
  program(at.folder / "port").write("tail");
  CHECK(iterations_during(at.owner, 50ms) < 15);
  CHECK(at.peer.trace() == "made");
  exported.resume_reading();
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
  CHECK(at.peer.received() == "tail");
}

TEST_CASE("Z12 what is written after a hang-up is for nobody, and an error") {
  bench at;
  transport& exported = at.export_at(at.folder / "port", {.on_hangup = pty::hangup::end});
  at.peer.on_eof = [] { return eof::keep_open; };
  program(at.folder / "port").close();
  CHECK(run_until(at.owner, [&] { return at.peer.count("eof") == 1; }));
  exported.write("too late");
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
  CHECK(at.peer.lost_reason() == std::errc::broken_pipe);
}

TEST_CASE("Z12 with report_hangup_while_paused a hang-up behind nothing is told at once") {
  bench at;
  pty::options settings{.on_hangup = pty::hangup::end};
  settings.stream.report_hangup_while_paused = true;
  at.export_at(at.folder / "port", settings).pause_reading();
  program(at.folder / "port").close();
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
  CHECK(at.peer.trace() == "made, eof, lost");
}

TEST_CASE("C6 what a program has not read is left to it for the time of linger, and no longer") {
  bench at;
  pty::options settings;
  settings.stream.linger = 20s;
  transport& exported = at.export_at(at.folder / "port", settings);
  program user(at.folder / "port");
  exported.write("last words");
  exported.close();
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
  CHECK(at.owner.open_transports() == 1);
  CHECK(user.read() == "last words");
  CHECK(run_until(at.owner, [&] { return at.owner.open_transports() == 0; }));
  CHECK(user.hung_up());
  user.close();

  bench other;
  settings.stream.linger = 20ms;
  transport& brief = other.export_at(other.folder / "port", settings);
  const program idle(other.folder / "port");
  brief.write("never read");
  CHECK(other.end());
  CHECK(idle.hung_up());
}

TEST_CASE("Z13 a link that leads nowhere is replaced; whatever else is in its place stays, and is an error") {
  bench at;
  const std::string link = at.folder / "port";
  fs::create_symlink("/dev/pts/no-such-terminal", link);
  at.export_at(link);
  recording_protocol second;
  const auto taken = pty::open(at.owner, link, borrow(second));
  CHECK(taken.error() == std::errc::file_exists);
  CHECK(taken.detail().find(link) != std::string::npos);
  CHECK(second.events().empty());
  CHECK(at.end());

  std::ofstream(link) << "precious";
  CHECK(pty::open(at.owner, link, borrow(second)).error() == std::errc::file_exists);
  CHECK(fs::file_size(link) == 8);
  CHECK(pty::open(at.owner, at.folder / "none/port", borrow(second)).error() == std::errc::no_such_file_or_directory);
}

// The system gives numbers of terminals away again at once, to anybody.
TEST_CASE("Z13 a link whose terminal is another one by now is replaced") {
  bench at;
  const std::string link = at.folder / "port";
  recording_protocol strangers;
  transport& elsewhere = *pty::open(at.owner, "", borrow(strangers));
  fs::create_symlink(elsewhere.info<pty::name>()->terminal, link);
  recording_protocol second;
  CHECK(pty::open(at.owner, link, borrow(second)).error() == std::errc::file_exists);
  const std::array<timespec, 2> before{timespec{1'000'000'000, 1}, timespec{1'000'000'000, 1}};
  REQUIRE(::utimensat(AT_FDCWD, link.c_str(), before.data(), AT_SYMLINK_NOFOLLOW) == 0);
  at.export_at(link);
  CHECK(fs::read_symlink(link) != elsewhere.info<pty::name>()->terminal);
  elsewhere.abort();
  CHECK(at.end());
}

TEST_CASE("Z13 a link that another one has taken the place of is not removed") {
  bench at;
  const std::string link = at.folder / "port";
  at.export_at(link);
  fs::remove(link);
  fs::create_symlink("/dev/null", link);
  CHECK(at.end());
  CHECK(fs::read_symlink(link) == "/dev/null");
}

TEST_CASE("Z13 the link is gone with the loop") {
  temporary_folder folder;
  recording_protocol peer;
  {
    loop owner;
    owner.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
    REQUIRE(pty::open(owner, folder / "port", borrow(peer)));
  }
  CHECK(peer.lost_reason() == errc::aborted);
  CHECK_FALSE(fs::exists(fs::symlink_status(folder / "port")));
}

TEST_CASE("X2 an exception of connection_made is the error, and no link is left") {
  bench at;
  int reports = 0;
  at.owner.on_error([&](const error_event&) { ++reports; });
  at.peer.on_made = [](transport&) { throw std::runtime_error("no"); };
  CHECK(pty::open(at.owner, at.folder / "port", borrow(at.peer)).error() == errc::protocol_threw);
  CHECK(at.end());
  CHECK(reports == 1);
  CHECK_FALSE(fs::exists(fs::symlink_status(at.folder / "port")));
}

TEST_CASE("Z11 an endpoint exports a terminal, with its options, and says what is wrong with it") {
  bench at;
  const std::string link = at.folder / "port";
  std::optional<std::error_code> outcome;
  const auto attempt = connect(
      at.owner, "pty:" + link + "?hangup=end&mode=0600", [&] { return borrow(at.peer); },
      [&](const result<transport&>& made) { outcome = made.error(); });
  CHECK(run_until(at.owner, [&] { return outcome.has_value(); }));
  CHECK_FALSE(*outcome);
  program(link).write("x");
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost(); }));
  CHECK(at.peer.trace() == "made, data 1, eof, lost");
  for (const char* bad : {"pty:", "pty:/x?hangup=never", "pty:/x?baud=9600", "pty:/x%00"})
    CHECK_THROWS_AS((void)connect(at.owner, bad, [&] { return borrow(at.peer); }), bad_endpoint);
}

TEST_CASE("SL29 what a program has set can be asked, and is told to who wants to know") {
  bench at;
  const std::string link = at.folder / "port";
  transport& exported = at.export_at(link);
  std::vector<std::string> told;
  REQUIRE_FALSE(pty::on_settings(exported, [&](const serial::settings& now) { told.push_back(to_string(now)); }));
  program user(link);
  termios wanted = user.settings();
  ::cfsetspeed(&wanted, B9600);
  user.set(wanted);
  wanted.c_cflag |= CSTOPB;
  wanted.c_iflag |= IXON;
  user.set(wanted);
  CHECK(run_until(at.owner, [&] { return !told.empty() && told.back() == "9600 8N2 xon/xoff"; }));
  CHECK(to_string(*exported.info<serial::settings>()) == "9600 8N2 xon/xoff");
  user.write("data");
  CHECK(at.heard("data"));
  exported.close();
  CHECK(pty::on_settings(exported, {}) == errc::closed);
  CHECK(at.end());
}

TEST_CASE(
    "SL29 a program that sets everything anew, as most do with raw settings, is told of again and again, also while nothing is read") {
  bench at;
  const std::string link = at.folder / "port";
  transport& exported = at.export_at(link);
  std::vector<std::string> told;
  REQUIRE_FALSE(pty::on_settings(exported, [&](const serial::settings& now) { told.push_back(to_string(now)); }));
  exported.pause_reading();
  program user(link);
  for (const auto& [speed, text] :
       {std::pair(speed_t{B19200}, "19200 8N1"), std::pair(speed_t{B57600}, "57600 8N1"), std::pair(speed_t{B300}, "300 8N1")}) {
    termios wanted{};
    wanted.c_cflag = CS8 | CREAD | CLOCAL;
    wanted.c_cc[VMIN] = 1;
    ::cfsetspeed(&wanted, speed);
    user.set(wanted);
    CHECK(run_until(at.owner, [&, expected = text] { return !told.empty() && told.back() == expected; }));
  }
  CHECK(iterations_during(at.owner, 50ms) < 10);
  CHECK(user.settings().c_cc[VMIN] == 1);
  CHECK(told.size() == 3);
  CHECK(at.end());
}

TEST_CASE("SL29 who has subscribed may leave and close in its handler, and one that left is told nothing") {
  bench at;
  const std::string link = at.folder / "port";
  transport& exported = at.export_at(link);
  int told = 0;
  REQUIRE_FALSE(pty::on_settings(exported, [&](const serial::settings&) {
    ++told;
    CHECK_FALSE(pty::on_settings(exported, {}));
  }));
  program user(link);
  termios wanted = user.settings();
  CHECK((wanted.c_lflag & EXTPROC) != 0);
  for (const speed_t speed : {speed_t{B9600}, speed_t{B300}}) {
    ::cfsetspeed(&wanted, speed);
    user.set(wanted);
    CHECK(run_until(at.owner, [&] { return told == 1; }));
    wanted = user.settings();
    CHECK((wanted.c_lflag & EXTPROC) == 0);
  }
  CHECK(iterations_during(at.owner, 30ms) < 10);
  CHECK(told == 1);
  REQUIRE_FALSE(pty::on_settings(exported, [&](const serial::settings&) {
    ++told;
    exported.abort();
  }));
  ::cfsetspeed(&wanted, B19200);
  user.set(wanted);
  CHECK(run_until(at.owner, [&] { return at.peer.is_lost() && at.owner.open_transports() == 0; }));
  CHECK(told == 2);
}

TEST_CASE("SL29 what is no exported terminal has no settings of programs") {
  loop owner;
  recording_protocol first;
  recording_protocol second;
  const memory::connection made = memory::pair(owner, borrow(first), borrow(second));
  CHECK(pty::on_settings(*first.connection(), [](const serial::settings&) {}) == errc::not_supported);
  first.connection()->abort();
  owner.run();
}

TEST_CASE("the terminal's file gets the permissions that were asked for") {
  bench at;
  at.export_at(at.folder / "port", {.mode = 0600});
  struct stat status {};
  REQUIRE(::stat((at.folder / "port").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(at.end());
}

TEST_CASE("a terminal without a protocol is refused") {
  loop owner;
  CHECK_THROWS_AS(pty::open(owner, "", nullptr), std::invalid_argument);
}
