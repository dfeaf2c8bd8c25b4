#include <sluice/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
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

// Attempts to connect: how they succeed, fail, are cancelled, and what they leave behind.

namespace {

using lines = std::vector<std::string>;

const address any_port = address::loopback_v4(0);

// One client, whose completion stands in its record as "connected" or "failed" with the code.
struct client {
  client() {
    scheduler.on_error([this](const error_event& event) { errors.push_back(describe(event)); });
  }

  connecting connect(const address& to, const tcp::options& settings = {}) {
    return tcp::connect(
        scheduler, to, [this] { return borrow(end); }, [this](const result<transport&>& outcome) { completed(outcome); }, settings);
  }
  void completed(const result<transport&>& outcome) {
    if (outcome) CHECK(&*outcome == end.connection());
    code = outcome.error();
    detail = outcome.detail();
    end.note(outcome ? "connected" : "failed");
  }
  bool run_until_completed() {
    return run_until(scheduler, [&] { return end.count("connected") + end.count("failed") == 1; });
  }
  bool run_until_closed() {
    return run_until(scheduler, [&] { return scheduler.open_transports() == 0; });
  }

  lines errors;
  std::error_code code;
  std::string detail;
  recording_protocol end;
  loop scheduler;
};

// An address where nobody listens, and where nobody else can.
struct nobody {
  raw_socket holder = raw_socket::bound_to(any_port);
  address at = holder.local_address();
};

// A listening socket that takes no more connections: the system leaves attempts without an answer.
struct full_house {
  raw_socket listener = raw_socket::listening_at(any_port, 0);
  address at = listener.local_address();
  raw_socket only_guest = raw_socket::connected_to(at);
};

}  // namespace

TEST_CASE("N10 the completion comes after connection_made, in a later turn than the call") {
  const descriptor_balance balance;
  for (const char* host : {"127.0.0.1", "::1"}) {
    CAPTURE(host);
    client here;
    const raw_socket listener = raw_socket::listening_at({host, 0});
    const connecting attempt = here.connect(listener.local_address());
    CHECK(attempt.in_progress());
    CHECK(here.end.events().empty());
    CHECK(here.run_until_completed());
    CHECK(here.end.events() == lines{"made", "connected"});
    CHECK_FALSE(attempt.in_progress());
    raw_socket peer = listener.accept();
    const transport& made = *here.end.connection();
    CHECK(made.info<peer_address>()->value == listener.local_address());
    CHECK(made.info<local_address>()->value.host() == host);
    CHECK(made.info<transport_kind>()->value == "tcp");
    here.end.connection()->close();
    CHECK(peer.receive_all().empty());
    peer.close();
    here.run_until_closed();
    CHECK(here.end.trace() == "made, connected, lost");
  }
}

TEST_CASE("I5 connections that were asked for have TCP_NODELAY unless told otherwise") {
  const descriptor_balance balance;
  for (const bool wanted : {true, false}) {
    client here;
    const raw_socket listener = raw_socket::listening_at(any_port);
    const connecting attempt = here.connect(listener.local_address(), {.nodelay = wanted});
    REQUIRE(here.run_until_completed());
    int value = 0;
    socklen_t size = sizeof value;
    const int socket = here.end.connection()->info<native_descriptor>()->value;
    CHECK(::getsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0);
    CHECK((value != 0) == wanted);
    here.end.connection()->abort();
    here.run_until_closed();
  }
}

TEST_CASE("the settings of an attempt are those of its connection") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  tcp::options settings;
  settings.stream.write_buffer = {.low = 5, .high = 50};
  settings.stream.close_timeout = 7s;
  const connecting attempt = here.connect(listener.local_address(), settings);
  REQUIRE(here.run_until_completed());
  CHECK(here.end.connection()->get_write_buffer_limits().high == 50);
  CHECK(here.end.connection()->options().close_timeout == 7s);
  here.end.connection()->abort();
  here.run_until_closed();
}

TEST_CASE("N11 a refused connection is told as such, with the address, in a later turn") {
  const descriptor_balance balance;
  client here;
  const nobody there;
  const connecting attempt = here.connect(there.at);
  CHECK(here.end.events().empty());
  CHECK(here.run_until_completed());
  CHECK(here.end.events() == lines{"failed"});
  CHECK(here.code == std::errc::connection_refused);
  CHECK(here.code.category() == uv_category());
  CHECK(here.detail == "connecting to " + there.at.to_string() + ": ECONNREFUSED: connection refused");
  CHECK_FALSE(attempt.in_progress());
  here.scheduler.run();  // returns: nothing is left
}

TEST_CASE("N11 an attempt that the system refuses at once is told its errno in a later turn") {
  const descriptor_balance balance;
  const address broadcast("255.255.255.255", 9);
  int expected = 0;
  try {
    raw_socket::connected_to(broadcast);
  } catch (const std::system_error& error) {
    expected = error.code().value();
  }
  REQUIRE(expected != 0);
  client here;
  const connecting attempt = here.connect(broadcast);
  CHECK(attempt.in_progress());
  CHECK(here.end.events().empty());
  CHECK(here.run_until_completed());
  CHECK(here.code == system_error(expected));
}

TEST_CASE("N11 an address that is none of TCP's fails in a later turn") {
  const descriptor_balance balance;
  for (const address& wrong : {address(), address::unix_unnamed(), address::unix_path("/nowhere")}) {
    client here;
    const connecting attempt = here.connect(wrong);
    CHECK(here.end.events().empty());
    CHECK(here.run_until_completed());
    CHECK(here.code == errc::bad_address);
  }
}

TEST_CASE("N7 a cancelled attempt makes nothing, says nothing and leaves nothing open") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  const int before = open_descriptors();
  connecting cancelled = here.connect(listener.local_address());
  CHECK(open_descriptors() == before + 1);
  cancelled.cancel();
  CHECK(open_descriptors() == before);
  CHECK_FALSE(cancelled.in_progress());
  cancelled.cancel();
  { const connecting destroyed = here.connect(listener.local_address()); }
  connecting replaced = here.connect(listener.local_address());
  replaced = connecting();
  CHECK(open_descriptors() == before);
  const nobody there;
  { const connecting failed_already = here.connect(address()); }
  { const connecting about_to_fail = here.connect(there.at); }
  here.scheduler.run();
  CHECK(here.end.events().empty());
  CHECK(listener.accept().receive_all().empty());  // what the system had connected was closed
}

TEST_CASE("N7 an attempt cancelled inside the factory makes nothing of what the factory returns") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  connecting attempt;
  attempt = tcp::connect(
      here.scheduler, listener.local_address(),
      [&, text = std::string("a capture that must outlive the attempt")] {
        attempt.cancel();
        CHECK(text == "a capture that must outlive the attempt");
        return borrow(here.end);
      },
      [&](const result<transport&>& outcome) { here.completed(outcome); });
  here.scheduler.run();
  CHECK(here.end.events().empty());
  CHECK_FALSE(attempt.in_progress());
  CHECK(listener.accept().receive_all().empty());
  CHECK(here.errors.empty());
}

TEST_CASE("N7 an attempt cancelled inside connection_made says nothing more, and the connection goes on") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  connecting attempt;
  here.end.on_made = [&](transport& made) {
    attempt.cancel();
    made.write("still here");
  };
  attempt = here.connect(listener.local_address());
  CHECK(run_until(here.scheduler, [&] { return here.end.connection() != nullptr; }));
  CHECK(listener.accept().receive(10) == "still here");
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, eof, lost");
}

TEST_CASE("N7 an attempt may be destroyed inside its completion, or be replaced by the next one there") {
  const descriptor_balance balance;
  client here;
  const nobody there;
  int failures = 0;
  connecting attempt;
  connect_handler retry;
  retry = [&](const result<transport&>& outcome) {
    CHECK(outcome.error() == std::errc::connection_refused);
    attempt.cancel();
    if (++failures < 3)
      attempt = tcp::connect(
          here.scheduler, there.at, [&] { return borrow(here.end); }, retry);
  };
  attempt = tcp::connect(
      here.scheduler, there.at, [&] { return borrow(here.end); }, retry);
  here.scheduler.run();
  CHECK(failures == 3);
}

TEST_CASE("N7 an attempt without an answer ends at its deadline") {
  const descriptor_balance balance;
  client here;
  const full_house there;
  const connecting attempt = here.connect(there.at, {.connect_timeout = 20ms});
  CHECK(here.run_until_completed());
  CHECK(here.end.events() == lines{"failed"});
  CHECK(here.code == errc::timed_out);
  CHECK(here.detail == "connecting to " + there.at.to_string() + ": a deadline passed");
  here.scheduler.run();
}

TEST_CASE("N7 a connect_timeout beyond all bounds does not end an attempt") {
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  const connecting attempt = here.connect(listener.local_address(), {.connect_timeout = std::chrono::milliseconds::max()});
  CHECK(here.run_until_completed());
  CHECK(here.end.events() == lines{"made", "connected"});
  here.end.connection()->abort();
  here.run_until_closed();
}

TEST_CASE("an attempt that was detached runs to its end without its object") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  here.connect(listener.local_address()).detach();
  CHECK(here.run_until_completed());
  CHECK(here.end.events() == lines{"made", "connected"});
  here.end.connection()->abort();
  here.run_until_closed();
  client other;
  other.connect(nobody().at).detach();
  other.connect(address()).detach();
  other.scheduler.run();
  CHECK(other.end.events() == lines{"failed", "failed"});
}

TEST_CASE("L14 an attempt that is under way ends with its loop, without a word") {
  const descriptor_balance balance;
  const full_house there;
  auto here = std::make_unique<client>();
  const int before = open_descriptors();
  const connecting owned = here->connect(there.at);
  here->connect(there.at).detach();
  here->connect(address()).detach();
  CHECK(open_descriptors() == before + 2);
  lines& errors = here->errors;
  here->end.on_made = [&](transport&) { errors.emplace_back("made"); };
  here.reset();
  CHECK_FALSE(owned.in_progress());
  CHECK(open_descriptors() < before);
}

TEST_CASE("N9 a factory that throws or returns null closes the socket and fails the attempt") {
  const descriptor_balance balance;
  for (const bool throws : {true, false}) {
    CAPTURE(throws);
    client here;
    const raw_socket listener = raw_socket::listening_at(any_port);
    const connecting attempt = tcp::connect(
        here.scheduler, listener.local_address(),
        [&]() -> protocol_ptr {
          if (throws) throw std::runtime_error("none today");
          return nullptr;
        },
        [&](const result<transport&>& outcome) { here.completed(outcome); });
    CHECK(here.run_until_completed());
    CHECK(here.code == errc::factory_failed);
    CHECK(here.errors.size() == 1);
    CHECK(listener.accept().receive_all().empty());
  }
}

TEST_CASE("X2 a connection_made that throws fails the attempt, and connection_lost follows") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  here.end.on_made = [](transport&) { throw std::runtime_error("no"); };
  const connecting attempt = here.connect(listener.local_address());
  CHECK(here.run_until_completed());
  CHECK(here.run_until_closed());
  CHECK(here.code == errc::protocol_threw);
  CHECK(here.end.events() == lines{"made", "failed", "lost sluice:3"});
}

TEST_CASE("L11 close or abort inside connection_made: the completion still gets the transport, which is closing") {
  const descriptor_balance balance;
  for (const bool abort : {true, false}) {
    CAPTURE(abort);
    client here;
    const raw_socket listener = raw_socket::listening_at(any_port);
    here.end.on_made = [&](transport& made) { abort ? made.abort() : made.close(); };
    bool closing = false;
    const connecting attempt = tcp::connect(
        here.scheduler, listener.local_address(), [&] { return borrow(here.end); },
        [&](const result<transport&>& outcome) {
          here.completed(outcome);
          closing = outcome->is_closing();
        });
    CHECK(here.run_until_completed());
    CHECK(closing);
    listener.accept().close();
    CHECK(here.run_until_closed());
    CHECK(here.end.events() == lines{"made", "connected", abort ? "lost sluice:1" : "lost"});
  }
}

TEST_CASE("a completion that throws is reported, and the connection goes on") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  const connecting attempt = tcp::connect(
      here.scheduler, listener.local_address(), [&] { return borrow(here.end); },
      [](const result<transport&>&) { throw std::runtime_error("not today"); });
  CHECK(run_until(here.scheduler, [&] { return !here.errors.empty(); }));
  CHECK(here.errors == lines{"sluice: scheduled function: connect completion: not today"});
  CHECK(here.end.connection() != nullptr);
  here.end.connection()->abort();
  here.run_until_closed();
}

TEST_CASE("what the peer sent before the loop first looked arrives right behind connection_made") {
  const descriptor_balance balance;
  client here;
  const raw_socket listener = raw_socket::listening_at(any_port);
  const connecting attempt = here.connect(listener.local_address());
  {
    const raw_socket peer = listener.accept();
    peer.send("hello and goodbye");
  }
  CHECK(here.run_until_completed());
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, connected, data 17, eof, lost");
}
