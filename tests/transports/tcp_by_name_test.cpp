#include <sluice/tcp.hpp>

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::recording_protocol;

// Connecting by name, to several addresses: in which order and when they are tried, who wins, and what is told of those that fail.

namespace {

using lines = std::vector<std::string>;

const address any_port = address::loopback_v4(0);
const address any_port_six = address::loopback_v6(0);

// An address where nobody listens, and where nobody else can.
struct nobody {
  explicit nobody(const address& place = any_port) : holder(raw_socket::bound_to(place)) {}
  raw_socket holder;
  address at = holder.local_address();
};

// An address that nobody gets who does not want to share it, as outgoing attempts do.
struct shared_place : nobody {
  explicit shared_place(const address& place = any_port) : nobody(place) {
    const int on = 1;
    CHECK(::setsockopt(holder.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  }
};

// A listening socket that takes no more connections: the system leaves attempts without an answer.
struct full_house {
  explicit full_house(const address& place = any_port) : listener(raw_socket::listening_at(place, 0)) {}
  raw_socket listener;
  address at = listener.local_address();
  raw_socket only_guest = raw_socket::connected_to(at);
};

struct open_house {
  explicit open_house(const address& place = any_port) : listener(raw_socket::listening_at(place)) {}
  raw_socket listener;
  address at = listener.local_address();
};

// What the names of a test stand for. It outlives lookups that were given up.
struct name_book {
  std::vector<address> addresses;
  std::error_code error;
  std::atomic<int> asked = 0;
  std::latch open{1};
  bool slow = false;

  std::vector<address> look_up(std::error_code& failed) {
    ++asked;
    if (slow) open.wait();
    failed = error;
    return addresses;
  }
};

// One client that connects to "there", whose addresses the test chooses.
struct client {
  explicit client(std::vector<address> addresses = {}, std::error_code error = {}) {
    book->addresses = std::move(addresses);
    book->error = error;
    names.set_options({.lookup = [book = book](const std::string&, ip_family, std::error_code& failed) { return book->look_up(failed); }});
    scheduler.on_error([this](const error_event& event) { errors.push_back(describe(event)); });
  }

  [[nodiscard]] connecting connect(tcp::options settings = {}, std::string_view host = "there") {
    settings.resolver = &names;
    if (settings.on_attempt == nullptr) settings.on_attempt = [this](const connect_attempt& each) { attempts.push_back(each); };
    return tcp::connect(
        scheduler, host, 9, [this] { return borrow(end); }, [this](const result<transport&>& outcome) { completed(outcome); }, settings);
  }
  void completed(const result<transport&>& outcome) {
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
  void abort() {
    end.connection()->abort();
    run_until_closed();
  }
  std::vector<address> tried() const {
    std::vector<address> result;
    for (const connect_attempt& each : attempts) result.push_back(each.to);
    return result;
  }

  lines errors;
  std::error_code code;
  std::string detail;
  std::vector<connect_attempt> attempts;
  std::shared_ptr<name_book> book = std::make_shared<name_book>();
  recording_protocol end;
  loop scheduler;
  resolver names{scheduler};
};

std::string refused_text() { return system_error(ECONNREFUSED).message(); }

}  // namespace

TEST_CASE("N1 a name is resolved and its address connected to, on the port that was asked for where it has none") {
  const descriptor_balance balance;
  const open_house there;
  client here({there.at.with_port(0)});
  const connecting attempt = tcp::connect(
      here.scheduler, "there", there.at.port(), [&] { return borrow(here.end); },
      [&](const result<transport&>& outcome) { here.completed(outcome); }, {.resolver = &here.names});
  CHECK(attempt.in_progress());
  CHECK(here.end.events().empty());
  REQUIRE(here.run_until_completed());
  CHECK(here.end.events() == lines{"made", "connected"});
  CHECK_FALSE(attempt.in_progress());
  CHECK(here.end.connection()->info<peer_address>()->value == there.at);
  here.abort();
}

TEST_CASE("N1 a numeric host is asked of nobody") {
  const descriptor_balance balance;
  for (const address& place : {any_port, any_port_six}) {
    const open_house there(place);
    client here;
    const connecting attempt = tcp::connect(
        here.scheduler, there.at.host(), there.at.port(), [&] { return borrow(here.end); },
        [&](const result<transport&>& outcome) { here.completed(outcome); }, {.resolver = &here.names});
    REQUIRE(here.run_until_completed());
    CHECK(here.end.events() == lines{"made", "connected"});
    CHECK(here.book->asked == 0);
    here.abort();
  }
}

TEST_CASE("N1 a loop resolves names with a resolver of its own unless told otherwise") {
  const descriptor_balance balance;
  const open_house there;
  client here;
  resolver::of(here.scheduler).set_options({.lookup = [&](const std::string&, ip_family, std::error_code&) {
    return std::vector{there.at};
  }});
  const connecting attempt = tcp::connect(
      here.scheduler, "there", 9, [&] { return borrow(here.end); }, [&](const result<transport&>& outcome) { here.completed(outcome); });
  REQUIRE(here.run_until_completed());
  CHECK(here.end.events() == lines{"made", "connected"});
  here.abort();
}

TEST_CASE("N1 without an attempt delay each address waits for the failure of the one before") {
  const descriptor_balance balance;
  const nobody first, second;
  const open_house third, fourth;
  client here({first.at, second.at, third.at, fourth.at});
  const connecting attempt = here.connect({.attempt_delay = 0ms});
  REQUIRE(here.run_until_completed());
  CHECK(here.tried() == std::vector{first.at, second.at, third.at});
  CHECK(here.attempts[0].error == std::errc::connection_refused);
  CHECK(here.attempts[1].error == std::errc::connection_refused);
  CHECK_FALSE(here.attempts[2].error);
  for (const std::size_t i : {1U, 2U}) CHECK(here.attempts[i].began >= here.attempts[i - 1].began + here.attempts[i - 1].took);
  CHECK(here.end.connection()->info<peer_address>()->value == third.at);
  here.abort();
}

TEST_CASE("N2 families take turns where attempts are staggered, and the first may have more of them") {
  const descriptor_balance balance;
  const nobody four, other_four, third_four;
  const nobody six(any_port_six), other_six(any_port_six);
  const std::vector found{four.at, other_four.at, third_four.at, six.at, other_six.at};
  const std::vector in_turns{four.at, six.at, other_four.at, other_six.at, third_four.at};
  struct row {
    std::chrono::milliseconds delay;
    std::optional<unsigned> first_family_count;
    std::vector<address> expected;
  };
  const std::vector<row> rows{{250ms, {}, in_turns},
                              {250ms, 2, {four.at, other_four.at, six.at, third_four.at, other_six.at}},
                              {250ms, 0, found},
                              {0ms, {}, found},
                              {0ms, 1, in_turns}};
  for (const row& each : rows) {
    client here(found);
    const connecting attempt = here.connect({.attempt_delay = each.delay, .first_family_count = each.first_family_count});
    REQUIRE(here.run_until_completed());
    CHECK(here.tried() == each.expected);
  }
}

TEST_CASE("N2 the resolver is asked for the family that is wanted") {
  const descriptor_balance balance;
  client here;
  ip_family asked = ip_family::any;
  here.names.set_options({.lookup = [&](const std::string&, ip_family family, std::error_code&) {
    asked = family;
    return std::vector<address>();
  }});
  const connecting attempt = here.connect({.family = ip_family::v6});
  CHECK(here.run_until_completed());
  CHECK(asked == ip_family::v6);
  CHECK(here.code == resolver_errc::no_address);
  client numeric;
  const connecting wrong = numeric.connect({.family = ip_family::v6}, "127.0.0.1");
  CHECK(numeric.run_until_completed());
  CHECK(numeric.code == errc::bad_address);
  CHECK(numeric.detail == "connecting to 127.0.0.1:9: not an address of the family that was asked for");
}

TEST_CASE("N3 an attempt that another has joined goes on, and may still win") {
  const descriptor_balance balance;
  full_house slow;
  const full_house never;
  client here({slow.at, never.at});
  const int before = open_descriptors();
  const connecting attempt = here.connect({.attempt_delay = 10ms});
  REQUIRE(run_until(here.scheduler, [&] { return open_descriptors() == before + 2; }));
  CHECK(here.attempts.empty());
  const raw_socket guest = slow.listener.accept();  // now there is room: the system asks again after a while
  REQUIRE(here.run_until_completed());
  CHECK(here.end.connection()->info<peer_address>()->value == slow.at);
  REQUIRE(here.attempts.size() == 2);
  CHECK(here.attempts[0].to == slow.at);
  CHECK_FALSE(here.attempts[0].error);
  CHECK(here.attempts[1].to == never.at);
  CHECK(here.attempts[1].error == errc::cancelled);
  CHECK(here.attempts[1].began >= here.attempts[0].began + 10ms);
  here.abort();
}

TEST_CASE("N4 the first connection wins, and the other attempts are closed before its protocol hears of it") {
  const descriptor_balance balance;
  const full_house never, nor_this;
  const open_house there;
  client here({never.at, nor_this.at, there.at});
  const int before = open_descriptors();
  int when_made = 0;
  here.end.on_made = [&](transport&) { when_made = open_descriptors(); };
  const connecting attempt = here.connect({.attempt_delay = 10ms});
  REQUIRE(here.run_until_completed());
  CHECK(when_made == before + 1);
  CHECK(here.end.events() == lines{"made", "connected"});
  REQUIRE(here.tried() == std::vector{there.at, never.at, nor_this.at});
  CHECK_FALSE(here.attempts[0].error);
  CHECK(here.attempts[1].error == errc::cancelled);
  CHECK(here.attempts[2].error == errc::cancelled);
  here.abort();
}

TEST_CASE("N4 a failed attempt begins the next at once, whatever the delay") {
  const descriptor_balance balance;
  const nobody first, second;
  const open_house there;
  client here({first.at, second.at, there.at});
  const connecting attempt = here.connect({.connect_timeout = 0ms, .attempt_delay = std::chrono::hours(1)});
  REQUIRE(here.run_until_completed());
  CHECK(here.tried() == std::vector{first.at, second.at, there.at});
  here.abort();
}

TEST_CASE("N4 a race that is cancelled, or destroyed with its loop, leaves no descriptor behind") {
  const descriptor_balance balance;
  const full_house one, other;
  auto here = std::make_unique<client>(std::vector{one.at, other.at});
  const int before = open_descriptors();
  connecting attempt = here->connect({.attempt_delay = 10ms});
  REQUIRE(run_until(here->scheduler, [&] { return open_descriptors() == before + 2; }));
  attempt.cancel();
  CHECK(open_descriptors() == before);
  CHECK(here->attempts.empty());
  here->scheduler.run();  // returns: nothing is left
  here->connect({.attempt_delay = 10ms}).detach();
  attempt = here->connect({.attempt_delay = 10ms});
  REQUIRE(run_until(here->scheduler, [&] { return open_descriptors() == before + 4; }));
  here.reset();
  CHECK_FALSE(attempt.in_progress());
}

TEST_CASE("N5 where all fail in one way, the error is that one, and each address is named") {
  const descriptor_balance balance;
  const nobody first, second(any_port_six);
  client one({first.at}), both({first.at, second.at});
  const connecting attempt = one.connect(), attempts = both.connect();
  CHECK(one.run_until_completed());
  CHECK(one.code == std::errc::connection_refused);
  CHECK(one.detail == "connecting to there:9: " + first.at.to_string() + ": " + refused_text());
  CHECK(both.run_until_completed());
  CHECK(both.code == std::errc::connection_refused);
  CHECK(both.detail == "connecting to there:9: " + first.at.to_string() + ", " + second.at.to_string() + ": " + refused_text());
}

TEST_CASE("N5 where they fail in different ways, the error says so and names each address with its own") {
  const descriptor_balance balance;
  const nobody first, last;
  const address broadcast("255.255.255.255", 9);
  client here({first.at, broadcast, last.at});
  const connecting attempt = here.connect();
  CHECK(here.run_until_completed());
  CHECK(here.code == errc::connect_failed);
  REQUIRE(here.attempts.size() == 3);
  CHECK(here.attempts[1].error.category() == uv_category());
  CHECK(here.attempts[1].error != here.attempts[0].error);
  CHECK(here.detail == "connecting to there:9: " + first.at.to_string() + ": " + refused_text() +
                           "; 255.255.255.255:9: " + here.attempts[1].error.message() + "; " + last.at.to_string() + ": " + refused_text());
}

TEST_CASE("N5 an address that was found twice is tried once") {
  const descriptor_balance balance;
  const nobody there;
  client here({there.at, there.at});
  const connecting attempt = here.connect();
  CHECK(here.run_until_completed());
  CHECK(here.attempts.size() == 1);
}

TEST_CASE("N5 a name without an address fails with the resolver's error, in a later turn") {
  const descriptor_balance balance;
  client here({}, resolver_errc::unknown_name);
  const connecting attempt = here.connect();
  CHECK(here.end.events().empty());
  CHECK(here.run_until_completed());
  CHECK(here.code == resolver_errc::unknown_name);
  CHECK(here.detail == "connecting to there:9: no address for there: the name is not known");
  CHECK(here.attempts.empty());
  client other;
  const connecting no_name = other.connect({}, "no name");
  CHECK(other.end.events().empty());
  CHECK(other.run_until_completed());
  CHECK(other.code == resolver_errc::bad_name);
  CHECK(other.detail.starts_with("connecting to \"no name\":9: no address for \"no name\": not a host name"));
  CHECK(other.book->asked == 0);
}

TEST_CASE("N6 a connection comes from the local address, and other families are not tried") {
  const descriptor_balance balance;
  const open_house six(any_port_six), four;
  client here({six.at, four.at});
  const connecting attempt = here.connect({.local = address("127.0.0.2", 0)});
  REQUIRE(here.run_until_completed());
  CHECK(here.tried() == std::vector{four.at});
  CHECK(here.end.connection()->info<local_address>()->value.host() == "127.0.0.2");
  here.abort();
}

TEST_CASE("N6 a local port is used as it is, for several attempts at a time if need be") {
  const descriptor_balance balance;
  const shared_place from(address("127.0.0.2", 0));
  const full_house never;
  const open_house there;
  client here({never.at, there.at});
  const connecting attempt = here.connect({.attempt_delay = 10ms, .local = from.at});
  REQUIRE(here.run_until_completed());
  CHECK(here.tried() == std::vector{there.at, never.at});
  CHECK(here.end.connection()->info<local_address>()->value == from.at);
  here.abort();
}

TEST_CASE("N6 a local address that fits no address of the name is an error that says so") {
  const descriptor_balance balance;
  const nobody four, other_four;
  client here({four.at, other_four.at});
  const connecting attempt = here.connect({.local = address::any_v6(0)});
  CHECK(here.run_until_completed());
  CHECK(here.code == errc::bad_address);
  CHECK(here.detail == "connecting to there:9 from ::: the name has no address of that family, only 127.0.0.1 127.0.0.1");
  client numeric;
  const connecting other = numeric.connect({.local = address::any_v6(0)}, "127.0.0.1");
  CHECK(numeric.run_until_completed());
  CHECK(numeric.code == errc::bad_address);
  CHECK(numeric.detail == "connecting to 127.0.0.1:9 from ::: the two addresses are of different families");
  client unsuitable;
  const connecting third = unsuitable.connect({.local = address::unix_path("/x")}, "127.0.0.1");
  CHECK(unsuitable.run_until_completed());
  CHECK(unsuitable.detail == "connecting to 127.0.0.1:9 from unix:/x: an address for TCP to come from is one of IPv4 or IPv6");
}

TEST_CASE("N6 a local address that is not this machine's is named in the error") {
  const descriptor_balance balance;
  const open_house there;
  client here({there.at});
  const connecting attempt = here.connect({.local = address("192.0.2.1", 7)});
  CHECK(here.run_until_completed());
  CHECK(here.code == std::errc::address_not_available);
  CHECK(here.detail.starts_with("connecting to there:9 from 192.0.2.1:7: " + there.at.to_string() + ": EADDRNOTAVAIL"));
}

TEST_CASE("N7 the timeout is that of the whole: of the lookup, and of all attempts together") {
  const descriptor_balance balance;
  client waiting;
  waiting.book->slow = true;
  const connecting lookup = waiting.connect({.connect_timeout = 20ms});
  CHECK(waiting.run_until_completed());
  CHECK(waiting.code == errc::timed_out);
  CHECK(waiting.detail == "connecting to there:9: a deadline passed before the name was resolved");
  waiting.scheduler.run();  // returns, though the lookup is still running
  waiting.book->open.count_down();

  const nobody closed;
  const full_house first, second;
  client here({closed.at, first.at, second.at});
  const connecting race = here.connect({.connect_timeout = 1s, .attempt_delay = std::chrono::hours(1)});
  CHECK(here.run_until_completed());
  CHECK(here.code == errc::timed_out);
  CHECK(here.detail == "connecting to there:9: a deadline passed; " + closed.at.to_string() + ": " + refused_text() + "; " +
                           first.at.to_string() + ": no answer; " + second.at.to_string() + ": not tried");
  REQUIRE(here.tried() == std::vector{closed.at, first.at});
  CHECK(here.attempts[1].error == errc::timed_out);
}

TEST_CASE("N7 an attempt that is cancelled while its name is looked up says nothing more") {
  const descriptor_balance balance;
  client here;
  here.book->slow = true;
  connecting attempt = here.connect();
  const connecting destroyed_with_loop = here.connect();
  attempt.cancel();
  { const connecting other = here.connect(); }
  here.book->open.count_down();
  here.scheduler.stop();
  here.scheduler.run();
  CHECK_FALSE(attempt.in_progress());
  CHECK(here.end.events().empty());
}

TEST_CASE("N7 the observer may cancel: at a failure, and when the connection is there") {
  const descriptor_balance balance;
  const nobody closed;
  const open_house there;
  for (const bool at_failure : {true, false}) {
    CAPTURE(at_failure);
    client here({closed.at, there.at});
    connecting attempt;
    int told = 0;
    tcp::options settings;
    settings.on_attempt = [&, text = std::string("a capture that must outlive the attempt")](const connect_attempt& each) {
      ++told;
      if (static_cast<bool>(each.error) == at_failure) attempt.cancel();
      CHECK(text == "a capture that must outlive the attempt");
    };
    attempt = here.connect(settings);
    here.scheduler.run();
    CHECK(told == (at_failure ? 1 : 2));
    CHECK_FALSE(attempt.in_progress());
    CHECK(here.end.events().empty());
  }
  CHECK(there.listener.accept().receive_all().empty());
}

TEST_CASE("what the observer throws is reported, and the attempt goes on") {
  const descriptor_balance balance;
  const nobody closed;
  const open_house there;
  client here({closed.at, there.at});
  tcp::options settings;
  settings.on_attempt = [](const connect_attempt&) { throw std::runtime_error("not today"); };
  const connecting attempt = here.connect(settings);
  REQUIRE(here.run_until_completed());
  const std::string line = "sluice: scheduled function: connect observer: not today";
  CHECK(here.errors == lines{line, line});
  CHECK(here.end.events() == lines{"made", "connected"});
  here.abort();
}

TEST_CASE("N9 a factory that throws closes the socket and fails the attempt with the name") {
  const descriptor_balance balance;
  const open_house there;
  client here({there.at});
  const connecting attempt = tcp::connect(
      here.scheduler, "there", 9, []() -> protocol_ptr { throw std::runtime_error("none today"); },
      [&](const result<transport&>& outcome) { here.completed(outcome); }, {.resolver = &here.names});
  CHECK(here.run_until_completed());
  CHECK(here.code == errc::factory_failed);
  CHECK(here.detail == "connecting to there:9: the protocol factory threw or returned null");
  CHECK(there.listener.accept().receive_all().empty());
}

TEST_CASE("N11 a port where nobody listens is refused, also where the attempt would reach itself") {
  const descriptor_balance balance;
  const shared_place free;
  client here;
  const connecting attempt = tcp::connect(
      here.scheduler, free.at, [&] { return borrow(here.end); }, [&](const result<transport&>& outcome) { here.completed(outcome); },
      {.local = free.at});
  CHECK(here.run_until_completed());
  CHECK(here.code == std::errc::connection_refused);
  CHECK(here.end.events() == lines{"failed"});
}

TEST_CASE("N1 attempts on one name share a lookup, and what is remembered needs none") {
  const descriptor_balance balance;
  const nobody closed;
  client here({closed.at});
  const connecting one = here.connect(), other = here.connect();
  CHECK(run_until(here.scheduler, [&] { return here.end.count("failed") == 2; }));
  const connecting third = here.connect();
  CHECK(run_until(here.scheduler, [&] { return here.end.count("failed") == 3; }));
  CHECK(here.book->asked == 1);
}

TEST_CASE("L18 N7 a shutdown ends an attempt that is under way") {
  const descriptor_balance balance;
  const full_house never;
  client here({never.at});
  const connecting attempt = here.connect();
  bool ended = false;
  shutdown(here.scheduler, 1h, [&](const shutdown_report&) { ended = true; });
  REQUIRE(here.run_until_completed());
  CHECK(here.code == errc::cancelled);
  CHECK(here.detail == "connecting to there:9: this program is shutting down");
  CHECK(ended);
}
