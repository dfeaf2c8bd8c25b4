#include <sluice/resolver.hpp>

#include <sluice/error.hpp>
#include <sluice/timer.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

using addresses = std::vector<address>;
using outcome = result<addresses>;

const address first("192.0.2.1", 0), second("2001:db8::1", 0);

// What a test has for a name server: answers by name, counts what it was asked, and can be made to wait.
struct name_server {
  addresses answer(const std::string& host, std::error_code& error) {
    ++asked;
    if (host == "slow") gate.wait();
    if (host == "unknown") error = resolver_errc::unknown_name;
    if (host == "away") error = resolver_errc::try_again;
    if (host == "mad") throw std::runtime_error("no idea");
    if (host == "odd") throw 5;
    return host == "empty" || error ? addresses() : addresses{first, second};
  }
  std::atomic<int> asked = 0;
  std::latch gate{1};
};

// A resolver that asks such a server, and the answers that came, a line each.
struct site {
  explicit site(resolver_options settings = {}) : names(scheduler, with_server(std::move(settings))) {
    scheduler.on_error([this](const error_event& event) { errors.push_back(describe(event)); });
  }

  resolver_options with_server(resolver_options settings) const {
    settings.lookup = [server = server](const std::string& host, ip_family, std::error_code& error) { return server->answer(host, error); };
    return settings;
  }

  [[nodiscard]] resolver::query ask(const std::string& host, ip_family family = ip_family::any) {
    return names.resolve(
        host, [this, host](const outcome& found) { note(host, found); }, family);
  }
  void note(const std::string& host, const outcome& found) {
    std::string line = host + ':';
    if (found)
      for (const address& each : *found) line += ' ' + each.host();
    else
      line += ' ' + describe(found.error());
    lines.push_back(line);
    details.push_back(found.detail());
  }
  std::string ask_now(const std::string& host, ip_family family = ip_family::any) {
    lines.clear();
    const auto query = ask(host, family);
    scheduler.run();
    REQUIRE(lines.size() == 1);
    return lines[0];
  }

  std::shared_ptr<name_server> server = std::make_shared<name_server>();  // lookups that were given up may outlive the test
  std::vector<std::string> lines, details, errors;
  loop scheduler;
  resolver names;
};

}  // namespace

TEST_CASE("N1 a name is resolved on another thread and answered in a later turn") {
  loop owner;
  std::thread::id asked_on;
  resolver_options settings;
  settings.lookup = [&](const std::string& host, ip_family family, std::error_code&) {
    asked_on = std::this_thread::get_id();
    CHECK(host == "here");
    CHECK(family == ip_family::v6);
    return addresses{second};
  };
  resolver names(owner, settings);
  bool told = false;
  const auto query = names.resolve(
      "HERE",
      [&](const outcome& found) {
        told = true;
        CHECK(owner.in_turn());
        REQUIRE(found);
        CHECK(*found == addresses{second});
      },
      ip_family::v6);
  CHECK_FALSE(told);
  CHECK(query.in_progress());
  owner.run();
  CHECK(told);
  CHECK_FALSE(query.in_progress());
  CHECK(asked_on != std::thread::id());
  CHECK(asked_on != std::this_thread::get_id());
}

TEST_CASE("N1 a numeric host is its own answer, in a later turn, and nobody is asked") {
  site here;
  const auto query = here.ask("127.0.0.1");
  CHECK(here.lines.empty());
  here.scheduler.run();
  CHECK(here.lines == std::vector<std::string>{"127.0.0.1: 127.0.0.1"});
  CHECK(here.ask_now("::1") == "::1: ::1");
  CHECK(here.ask_now("::1", ip_family::v6) == "::1: ::1");
  CHECK(here.ask_now("::1", ip_family::v4).starts_with("::1: resolver:2 "));
  CHECK(here.server->asked == 0);
  CHECK(here.names.counters().queries == 0);
}

TEST_CASE("a name that no host can have fails without anybody being asked") {
  site here;
  for (const char* name : {"", ".", "a..b", "a b", "127.0.0.256", "fe80::1%nosuchinterface", "x\ny"}) {
    CAPTURE(name);
    CHECK(here.ask_now(name).starts_with(std::string(name) + ": resolver:5 not a host name; expected "));
  }
  CHECK(here.details.back().starts_with("no address for \"x?y\": not a host name"));
  CHECK(here.server->asked == 0);
}

TEST_CASE("host names are letters, digits, hyphens and underscores in labels that are not too long") {
  const std::string label(63, 'l');
  std::string three_labels;
  for (int i = 0; i < 3; ++i) three_labels.append(label).append(1, '.');
  for (const std::string& good :
       {std::string("localhost"), std::string("a"), std::string("_sip.x-1.example.org"), std::string("example.org."),
        std::string("3com.com"), label + ".org", three_labels + std::string(61, 'e')}) {
    CAPTURE(good);
    CHECK(is_host_name(good));
  }
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".a"), std::string("a.."), std::string("a:b"), std::string("a%b"), std::string("a/b"),
        std::string("m\xc3\xbcnchen.de"), std::string("a\0b", 3), label + "l.org", std::string("1.2.3"), std::string("127.1"),
        std::string("0x7f.0X1f"), std::string("a.0x"), three_labels + std::string(62, 'e')}) {
    CAPTURE(bad);
    CHECK_FALSE(is_host_name(bad));
  }
}

TEST_CASE("what is wrong with a name is told with the name") {
  site here;
  CHECK(here.ask_now("unknown") == "unknown: resolver:1 the name is not known");
  CHECK(here.details.back() == "no address for unknown: the name is not known");
  CHECK(here.ask_now("empty") == "empty: resolver:2 the name has no address of the kind that was asked for");
  CHECK(here.ask_now("away") == "away: resolver:3 no name server answered; it may do so later");
  CHECK(here.ask_now("mad").starts_with("mad: sluice:18 "));
  CHECK(here.details.back() == "no address for mad: the lookup function threw: no idea");
  CHECK(here.ask_now("odd").starts_with("odd: sluice:18 "));
  CHECK(here.names.counters().lookup_errors == 5);
  CHECK(here.errors.empty());
}

TEST_CASE("every enumerator of resolver_errc has a message of its own") {
  for (int value = 1; value <= static_cast<int>(resolver_errc::failed); ++value)
    CHECK(make_error_code(static_cast<resolver_errc>(value)).message() != "unknown error");
  CHECK(std::string(resolver_category().name()) == "resolver");
}

TEST_CASE("an answer is remembered, also that there is none, and other errors are not") {
  site here;
  for (const char* name : {"here", "unknown", "empty"}) {
    CAPTURE(name);
    here.server->asked = 0;
    const std::string fresh = here.ask_now(name);
    CHECK(here.ask_now(name) == fresh);
    CHECK(here.server->asked == 1);
  }
  here.ask_now("away");
  here.ask_now("away");
  here.ask_now("mad");
  here.ask_now("mad");
  CHECK(here.server->asked == 5);
  CHECK(here.names.counters().cache_hits == 3);
  CHECK(here.names.counters().lookups == 7);
}

TEST_CASE("a time of 0 remembers nothing, and so does a cache without entries") {
  site forgetful({.positive_ttl = 0ms, .negative_ttl = 0ms});
  site tiny({.cache_entries = 0});
  for (site* each : {&forgetful, &tiny})
    for (const char* name : {"here", "here", "unknown", "unknown"}) each->ask_now(name);
  CHECK(forgetful.server->asked == 4);
  CHECK(tiny.server->asked == 4);
}

TEST_CASE("a time beyond all bounds is no time that has passed") {
  site here({.positive_ttl = std::chrono::milliseconds::max()});
  here.ask_now("here");
  here.ask_now("here");
  CHECK(here.server->asked == 1);
}

TEST_CASE("the cache is bounded") {
  site here({.cache_entries = 2});
  for (const char* name : {"a", "b", "c", "b", "c", "a"}) here.ask_now(name);
  CHECK(here.server->asked == 4);
}

TEST_CASE("queries for one name share one lookup, others do not") {
  site here;
  const auto one = here.ask("here"), same = here.ask("Here"), other = here.ask("there"), four = here.ask("here", ip_family::v4);
  here.scheduler.run();
  CHECK(here.lines.size() == 4);
  CHECK(here.server->asked == 3);
  CHECK(here.names.counters().shared == 1);
  CHECK(here.names.counters().queries == 4);
}

TEST_CASE("N7 a query that was cancelled is not answered, and those that shared its lookup are") {
  site here;
  auto one = here.ask("here");
  const auto same = here.ask("here");
  one.cancel();
  CHECK_FALSE(one.in_progress());
  { const auto destroyed = here.ask("here"); }
  auto replaced = here.ask("127.0.0.1");
  replaced = here.ask("there");
  here.ask("detached").detach();
  here.scheduler.run();
  CHECK(here.lines.size() == 3);
}

TEST_CASE("K4 work that nobody waits for any more is given up: it keeps neither the loop running nor its answer") {
  site here;
  auto slow = here.ask("slow");
  auto also = here.ask("slow");
  while (here.server->asked == 0) std::this_thread::yield();
  slow.cancel();
  CHECK(here.names.counters().lookups == 1);
  also.cancel();
  here.scheduler.run();  // returns, though the lookup is still running
  const auto again = here.ask("slow");
  CHECK(here.names.counters().lookups == 2);
  here.server->gate.count_down();
  here.scheduler.run();
  CHECK(here.lines.size() == 1);
}

TEST_CASE("K4 names that are not answered leave threads for other work") {
  site here;
  const auto one = here.ask("slow"), two = here.ask("slow", ip_family::v4), three = here.ask("slow", ip_family::v6);
  bool done = false;
  here.scheduler.run_in_executor([] {},
                                 [&](const job_result<void>&) {
                                   done = true;
                                   here.server->gate.count_down();
                                 });
  here.scheduler.run();
  CHECK(done);
  CHECK(here.lines.size() == 3);
}

TEST_CASE("what was flushed is asked for again, and what is on its way is delivered and not remembered") {
  site here;
  here.ask_now("here");
  here.ask_now("there");
  here.names.flush("HERE");
  here.ask_now("here");
  here.ask_now("there");
  CHECK(here.server->asked == 3);
  here.names.flush();
  const auto one = here.ask("here"), two = here.ask("there");
  here.names.flush("here");
  const auto fresh = here.ask("here");
  CHECK(here.names.counters().shared == 0);
  here.names.flush();
  here.scheduler.run();
  CHECK(here.server->asked == 6);
  here.ask_now("here");
  CHECK(here.server->asked == 7);
}

TEST_CASE("a handler may ask again, cancel the others, and throw") {
  site here;
  resolver::query other, again;
  const auto one = here.names.resolve("here", [&](const outcome&) {
    other.cancel();
    again = here.ask("here");
    throw std::runtime_error("not today");
  });
  other = here.ask("here");
  here.scheduler.run();
  CHECK(here.lines == std::vector<std::string>{"here: 192.0.2.1 2001:db8::1"});
  CHECK(here.names.counters().cache_hits == 1);
  CHECK(here.errors == std::vector<std::string>{"sluice: scheduled function: resolver handler: not today"});
}

TEST_CASE("a resolver that is destroyed answers nobody, wherever that happens") {
  loop owner;
  int told = 0;
  resolver_options settings;
  settings.lookup = [](const std::string&, ip_family, std::error_code&) { return addresses{first}; };
  auto names = std::make_unique<resolver>(owner, settings);
  const resolver::handler end_it = [&](const outcome& found) {
    ++told;
    names.reset();
    CHECK(*found == addresses{first});
  };
  const auto one = names->resolve("here", end_it), same = names->resolve("here", end_it), numeric = names->resolve("there", end_it);
  owner.run();
  CHECK(told == 1);
  CHECK_FALSE(same.in_progress());
  CHECK_FALSE(numeric.in_progress());
}

TEST_CASE("L14 queries that are under way end with their loop, without a word") {
  auto owner = std::make_unique<loop>();
  resolver_options settings;
  settings.lookup = [](const std::string&, ip_family, std::error_code&) { return addresses{first}; };
  resolver names(*owner, settings);
  int told = 0;
  const auto count = [&](const outcome&) { ++told; };
  const auto one = names.resolve("here", count), numeric = names.resolve("127.0.0.1", count);
  auto of_loop = resolver::of(*owner).resolve("127.0.0.1", count);
  owner.reset();
  CHECK_FALSE(one.in_progress());
  CHECK_FALSE(numeric.in_progress());
  CHECK_FALSE(of_loop.in_progress());
  CHECK_FALSE(names.resolve("here", count).in_progress());
  of_loop.cancel();
  CHECK(told == 0);
}

TEST_CASE("the resolver of a loop is one, and takes other settings") {
  loop owner;
  resolver& names = resolver::of(owner);
  CHECK(&names == &resolver::of(owner));
  loop other;
  CHECK(&names != &resolver::of(other));
  resolver_options settings;
  settings.lookup = [](const std::string&, ip_family, std::error_code&) { return addresses{second}; };
  names.set_options(settings);
  addresses found;
  const auto query = names.resolve("here", [&](const outcome& got) { found = *got; });
  owner.run();
  CHECK(found == addresses{second});
}

TEST_CASE("the system knows localhost, in each family that it is asked for") {
  for (const ip_family family : {ip_family::any, ip_family::v4}) {
    std::error_code error;
    const addresses found = system_lookup("localhost", family, error);
    CHECK_FALSE(error);
    REQUIRE_FALSE(found.empty());
    for (const address& each : found) {
      CHECK(each.is_loopback());
      CHECK(each.port() == 0);
      CHECK((family == ip_family::any || each.is_v4()));
    }
  }
}

TEST_CASE("what the system does not know is an error of the resolver") {
  std::error_code error;
  CHECK(system_lookup("127.0.0.1", ip_family::v6, error).empty());  // needs no name server
  CHECK(error == resolver_errc::no_address);
}
