#include <sluice/pipe.hpp>

#include <sluice/error.hpp>
#include <sluice/process.hpp>
#include <sluice/schemes.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

namespace {

struct site {
  connecting connect(const std::string& to, recording_protocol& upper) {
    return sluice::connect(
        owner, to, [&upper] { return borrow(upper); },
        [this](const result<transport&>& made) {
          outcome = made.error();
          detail = made.detail();
        });
  }
  bool run_to_outcome() {
    return run_until(owner, [&] { return outcome.has_value(); });
  }
  std::string fifo() const { return "fifo:" + (folder / "x"); }

  temporary_folder folder;
  std::optional<std::error_code> outcome;
  std::string detail;
  loop owner;
};

}  // namespace

TEST_CASE("P1 a FIFO is made and opened without blocking: a reader at once, a writer when there is a reader") {
  const descriptor_balance balance;
  site here;
  recording_protocol reader, writer;
  const auto waiting = here.connect(here.fifo() + "?direction=write&create=on&mode=0640", writer);
  CHECK(iterations_during(here.owner, 30ms) < 60);
  CHECK_FALSE(here.outcome);
  struct stat status {};
  REQUIRE(::stat((here.folder / "x").c_str(), &status) == 0);
  CHECK(S_ISFIFO(status.st_mode));
  CHECK((status.st_mode & 0777) == 0640);
  const auto reading = here.connect(here.fifo(), reader);
  CHECK(run_until(here.owner, [&] { return writer.connection() != nullptr && reader.connection() != nullptr; }));
  const std::string sent = numbered(200'000);
  writer.connection()->write(sent);
  writer.connection()->write_eof();
  CHECK(run_until(here.owner, [&] { return reader.is_lost() && here.owner.open_transports() == 0; }));
  CHECK(reader.received() == sent);
  CHECK(reader.trace() == "made, data 200000, eof, lost");
}

TEST_CASE("a FIFO that is opened both ways outlives its writers") {
  site here;
  recording_protocol reader;
  const auto attempt = here.connect(here.fifo() + "?direction=both&create=on", reader);
  REQUIRE(here.run_to_outcome());
  for (const char* text : {"one", "two"}) {
    std::ofstream(here.folder / "x") << text;
    CHECK(run_until(here.owner, [&] { return reader.received().ends_with(text); }));
  }
  CHECK(reader.trace() == "made, data 6");
  reader.connection()->abort();
  CHECK(run_until(here.owner, [&] { return here.owner.open_transports() == 0; }));
}

TEST_CASE("what is no FIFO, is not there, or has no reader in time is an error that says so") {
  site here;
  recording_protocol never;
  std::ofstream(here.folder / "x") << "a file";
  const auto file = here.connect(here.fifo() + "?create=on", never);
  REQUIRE(here.run_to_outcome());
  CHECK(*here.outcome == errc::not_supported);
  CHECK(here.detail.find("expected a FIFO") != std::string::npos);
  here.outcome.reset();
  const auto missing = here.connect("fifo:" + (here.folder / "y"), never);
  REQUIRE(here.run_to_outcome());
  CHECK(*here.outcome == std::errc::no_such_file_or_directory);
  CHECK(here.detail.find("/y") != std::string::npos);
  here.outcome.reset();
  const auto lonely = here.connect("fifo:" + (here.folder / "z") + "?create=on&direction=write&connect_timeout=20ms", never);
  REQUIRE(here.run_to_outcome());
  CHECK(*here.outcome == errc::timed_out);
  CHECK(never.events().empty());
  CHECK_THROWS_AS((void)here.connect("fifo:", never), bad_endpoint);
  CHECK_THROWS_AS((void)here.connect("fifo:/x?direction=up", never), bad_endpoint);
  CHECK_THROWS_AS((void)here.connect("fifo:/%00", never), bad_endpoint);
}

TEST_CASE("N7 a writer whose connect_timeout is beyond all bounds goes on waiting for a reader") {
  const descriptor_balance balance;
  recording_protocol never;
  site here;
  const auto attempt = pipe::open_fifo(
      here.owner, here.folder / "x", [&never] { return borrow(never); },
      [&here](const result<transport&>& made) { here.outcome = made.error(); },
      {.to_go = pipe::direction::write, .create = true, .connect_timeout = std::chrono::milliseconds::max()});
  (void)iterations_during(here.owner, 20ms);
  CHECK(attempt.in_progress());
  CHECK_FALSE(here.outcome);
}

TEST_CASE("N7 an attempt to open a FIFO is cancelled, detached, or ended by the loop without a trace") {
  const descriptor_balance balance;
  recording_protocol never;
  {
    site here;
    auto attempt = here.connect(here.fifo() + "?create=on&direction=write", never);
    CHECK(attempt.in_progress());
    attempt.cancel();
    CHECK_FALSE(attempt.in_progress());
    CHECK(iterations_during(here.owner, 5ms) < 20);
    here.connect(here.fifo() + "?create=on&direction=write", never).detach();
    CHECK(iterations_during(here.owner, 5ms) < 20);
    CHECK_FALSE(here.outcome);
  }
  CHECK(never.events().empty());
}

TEST_CASE("U1 exec: lets a protocol talk to a child, and tells how it ended") {
  const descriptor_balance balance;
  site here;
  recording_protocol upper;
  std::optional<process::child_state> at_end;
  upper.on_lost = [&](std::error_code) { at_end = upper.connection()->info<process::child_state>(); };
  const auto attempt = here.connect("exec:sh?arg=-c&arg=read line%3B echo $WORD $line%3B exit 5&env=WORD=got&cwd=/", upper);
  REQUIRE(here.run_to_outcome());
  REQUIRE_FALSE(*here.outcome);
  CHECK(upper.connection()->info<process::child_state>()->pid > 0);
  CHECK_FALSE(upper.connection()->info<process::child_state>()->status);
  upper.connection()->write("it\n");
  CHECK(run_until(here.owner, [&] { return upper.is_lost() && here.owner.open_transports() == 0; }));
  CHECK(upper.received() == "got it\n");
  CHECK(upper.trace() == "made, data 7, eof, lost");
  REQUIRE(at_end);
  REQUIRE(at_end->status);
  CHECK(at_end->status->code == 5);
}

TEST_CASE("U3 exec: kills a child that stays, at once after an abort, and after a while after a close") {
  for (const char* end : {"abort", "close"}) {
    CAPTURE(end);
    site here;
    recording_protocol upper;
    const auto attempt = here.connect("exec:sleep?arg=100&close_timeout=50ms", upper);
    REQUIRE(here.run_to_outcome());
    const int child = upper.connection()->info<process::child_state>()->pid;
    *end == 'a' ? upper.connection()->abort() : upper.connection()->close();
    here.owner.run();  // returns when the child is reaped
    CHECK(::kill(child, 0) != 0);
  }
}

TEST_CASE("U5 exec: tells what could not be started, and on a terminal of its own it has its size") {
  site here;
  recording_protocol upper;
  const auto missing = here.connect("exec:/no/such/program", upper);
  REQUIRE(here.run_to_outcome());
  CHECK(*here.outcome == std::errc::no_such_file_or_directory);
  CHECK(here.detail.find("/no/such/program") != std::string::npos);
  here.outcome.reset();
  const auto sized = here.connect("exec:stty?arg=size&pty=on&rows=11&columns=22", upper);
  REQUIRE(here.run_to_outcome());
  CHECK(run_until(here.owner, [&] { return upper.is_lost(); }));
  CHECK(upper.received() == "11 22\r\n");
  CHECK_THROWS_WITH_AS((void)here.connect("exec:x?env=novalue", upper), doctest::Contains("expected NAME=VALUE"), bad_endpoint);
  CHECK_THROWS_AS((void)here.connect("exec:", upper), bad_endpoint);
  CHECK_THROWS_AS((void)here.connect("exec:x?stderr=pipe", upper), bad_endpoint);
}

TEST_CASE("exec: answers like the calculator that it is") {
  site here;
  recording_protocol upper;
  const auto attempt = here.connect("exec:bc?arg=-l", upper);
  REQUIRE(here.run_to_outcome());
  REQUIRE_MESSAGE(!*here.outcome, here.detail);
  upper.connection()->write("6*7\n");
  CHECK(run_until(here.owner, [&] { return upper.received() == "42\n"; }));
  upper.connection()->write_eof();
  CHECK(run_until(here.owner, [&] { return upper.is_lost(); }));
  CHECK(upper.trace() == "made, data 3, eof, lost");
}
