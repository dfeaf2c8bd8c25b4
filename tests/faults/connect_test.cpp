#include <sluice/error.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../transports/socket_kit.hpp"
#include "plans.hpp"

using namespace faults;
using namespace sluice;
using namespace socket_kit;

namespace {

// A name with an address that refuses and one that does not.
struct two_places {
  raw_socket closed = raw_socket::bound_to(address::loopback_v4(0));
  raw_socket open = raw_socket::listening_at(address::loopback_v4(0));
  std::vector<address> addresses{closed.local_address(), open.local_address()};
};

struct ending {
  int completions = 0;
  bool connected = false;
  std::error_code error;
  std::vector<std::error_code> attempts;
};

ending connect_under(plan& active) {
  const two_places places;
  ending result;
  testing::recording_protocol end;
  loop scheduler;
  resolver::of(scheduler).set_options({.lookup = [&](const std::string&, ip_family, std::error_code&) { return places.addresses; }});
  tcp::options settings;
  settings.on_attempt = [&](const connect_attempt& each) { result.attempts.push_back(each.error); };
  const auto done = [&](const sluice::result<transport&>& outcome) {
    ++result.completions;
    result.connected = static_cast<bool>(outcome);
    result.error = outcome.error();
    if (outcome) outcome->abort();
  };
  const in_force now(active);
  const auto attempt = tcp::connect(
      scheduler, "there", 1, [&] { return borrow(end); }, done, settings);
  scheduler.run();
  CHECK(end.count("made") == static_cast<std::size_t>(result.connected));
  return result;
}

}  // namespace

TEST_CASE("N4 whatever call fails, connecting by name ends once, with a connection or with what failed, and leaves nothing open") {
  const descriptor_balance balance;
  std::size_t struck = 0, connected = 0;
  for (std::size_t n = 0;; ++n) {
    bool reached = false;
    for (std::size_t variant = 0;; ++variant) {
      single_fault plan(n, variant);
      const ending result = connect_under(plan);
      CAPTURE(n);
      CAPTURE(variant);
      CAPTURE(std::string(to_string(plan.struck_call())));
      CAPTURE(result.error.message());
      CHECK(result.completions == 1);
      CHECK(result.attempts.size() == 2);
      const bool failed_as_told = !result.connected && result.attempts.size() == 2 && result.attempts[1] == system_error(plan.what().error);
      CHECK((result.connected || failed_as_told));
      reached = plan.reached();
      if (!plan.struck()) break;
      ++struck;
      connected += static_cast<std::size_t>(result.connected);
    }
    if (!reached) break;
  }
  std::printf("connecting by name: %zu single failures, %zu connected all the same\n", struck, connected);
  CHECK(connected > 0);
  CHECK(connected < struck);
}
