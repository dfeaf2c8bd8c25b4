#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>

#include <sluice/error.hpp>

#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

// Coming back without a full handshake: how long, and what ends it.

namespace {

std::chrono::seconds later = 0s;  // than it is

struct time_travel {
  time_travel() { later = 0s; }
  ~time_travel() { later = 0s; }
};

void run_both(const std::function<void(tls_pair&)>& scenario) {
  for (const tls::protocol_version version : {tls::protocol_version::tls1_2, tls::protocol_version::tls1_3}) {
    CAPTURE(tls::to_string(version));
    const time_travel back;
    tls_pair pair;
    pair.client_options.max_version = version;
    scenario(pair);
  }
}

struct coming_back {
  std::error_code server;
  std::error_code client;
  bool resumed = false;
};

coming_back connect_once(tls_pair& pair) {
  pair.server_code = pair.client_code = {};
  pair.connect();
  pair.scheduler.advance(1min);
  coming_back result{pair.server_code, pair.client_code};
  if (!result.client && !result.server) {
    result.resumed = pair.client.connection()->info<tls::session>()->resumed;
    pair.client.connection()->close();
    pair.run();
  }
  pair.disconnect();
  return result;
}

}  // namespace

// What OpenSSL and the library ask for the date.
extern "C" std::time_t time(std::time_t* into) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::time_t result = now.tv_sec + static_cast<std::time_t>(later.count());
  if (into != nullptr) *into = result;
  return result;
}

TEST_CASE("T15 who comes back is verified anew when the server's certificate has expired, however often the session was renewed") {
  run_both([](tls_pair& pair) {
    pair.server_options.identities = {identity_of(pair.authority.issue({.ends = 4000}))};
    CHECK(!connect_once(pair).resumed);
    for (int i = 0; i < 3; ++i) {
      later += 20min;
      CHECK(connect_once(pair).resumed);
    }
    later += 20min;
    CHECK(connect_once(pair).client == tls::errc::certificate_expired);
  });
}

TEST_CASE("T15 who comes back is verified anew when the client's certificate has expired") {
  run_both([](tls_pair& pair) {
    pair.server_options.clients = tls::client_auth::require;
    pair.server_options.client_trust.ca_pem = pair.authority.certificate();
    pair.client_options.own = identity_of(pair.authority.issue({.subject = "me", .ends = 4000, .for_clients = true}));
    CHECK(!connect_once(pair).resumed);
    for (int i = 0; i < 3; ++i) {
      later += 20min;
      CHECK(connect_once(pair).resumed);
    }
    later += 20min;
    CHECK(connect_once(pair).server == tls::errc::certificate_expired);
  });
}

TEST_CASE("T15 a full handshake comes after seven days at the latest, and with TLS 1.2, which renews nothing, after two hours") {
  run_both([](tls_pair& pair) {
    const auto longest = pair.client_options.max_version == tls::protocol_version::tls1_3 ? 7 * 24h : 2h;
    certificates::authority lasting("a lasting test", 30 * 86400);
    pair.client_options.servers.ca_pem = lasting.certificate();
    pair.server_options.identities = {identity_of(lasting.issue({.ends = 30 * 86400}))};
    CHECK(!connect_once(pair).resumed);
    for (; later < longest - 1h; later += 1h) CHECK(connect_once(pair).resumed);
    later += 2h;
    const coming_back after = connect_once(pair);
    CHECK(!after.client);
    CHECK(!after.resumed);
  });
}

TEST_CASE("T15 a session that fails is not tried again") {
  run_both([](tls_pair& pair) {
    pair.link_options.latency = 10ms;
    CHECK(!connect_once(pair).resumed);
    const int tickets = pair.client_options.max_version == tls::protocol_version::tls1_3 ? 2 : 1;
    for (int i = 0; i < tickets; ++i) {
      pair.begin();
      pair.scheduler.advance(5ms);
      pair.made->link.fail(memory::side::second, system_error(ECONNRESET));
      pair.scheduler.advance(1min);
      CHECK(pair.client_code);
      pair.disconnect();
    }
    const coming_back after = connect_once(pair);
    CHECK(!after.client);
    CHECK(!after.resumed);
    CHECK(connect_once(pair).resumed);
  });
}

TEST_CASE(
    "T15 sessions that were verified by other rules than those of the last reload are not used, also where a handshake was under way") {
  run_both([](tls_pair& pair) {
    certificates::authority other("somebody else");
    const certificates::file trusted(pair.authority.certificate());
    pair.client_options.servers = {};
    pair.client_options.servers.ca_files = {trusted.path()};
    pair.link_options.latency = 10ms;
    pair.begin();
    pair.scheduler.advance(25ms);
    trusted.write(other.certificate());
    pair.client_context.reload();
    pair.scheduler.advance(1s);
    CHECK(!pair.client_code);
    CHECK(pair.client.connection() != nullptr);
    pair.disconnect();
    CHECK(connect_once(pair).client == tls::errc::unknown_authority);
  });
}

TEST_CASE("T15 a required OCSP response is not asked for again by who comes back") {
  run_both([](tls_pair& pair) {
    const certificates::made own = pair.authority.issue();
    const certificates::file response(pair.authority.ocsp_response(own, false));
    tls::identity one = identity_of(own);
    one.ocsp_file = response.path();
    pair.server_options.identities = {one};
    pair.client_options.require_ocsp = true;
    CHECK(!connect_once(pair).resumed);
    for (int i = 0; i < 3; ++i) {
      const coming_back again = connect_once(pair);
      CHECK(!again.client);
      CHECK(again.resumed);
    }
  });
}

TEST_CASE("T15 ticket keys that are used for ever are kept for ever") {
  run_both([](tls_pair& pair) {
    pair.server_options.ticket_key_lifetime = std::chrono::seconds::max();
    CHECK(!connect_once(pair).resumed);
    for (int i = 0; i < 5; ++i) CHECK(connect_once(pair).resumed);
  });
}

TEST_CASE("T15 a ticket is taken behind one new key, and not behind two") {
  run_both([](tls_pair& pair) {
    CHECK(!connect_once(pair).resumed);
    for (int i = 0; i < 3; ++i) {
      pair.server_context.rotate_ticket_keys();
      CHECK(connect_once(pair).resumed);  // and gets a ticket by the new key
    }
    pair.server_context.rotate_ticket_keys();
    pair.server_context.rotate_ticket_keys();
    const coming_back after = connect_once(pair);
    CHECK(!after.client);
    CHECK(!after.resumed);
    CHECK(connect_once(pair).resumed);
  });
}

TEST_CASE("T15 without tickets nobody comes back") {
  run_both([](tls_pair& pair) {
    pair.server_options.tickets = false;
    for (int i = 0; i < 3; ++i) {
      const coming_back after = connect_once(pair);
      CHECK(!after.client);
      CHECK(!after.resumed);
    }
    CHECK(pair.server_context.counters().done == 3);
    CHECK(pair.server_context.counters().resumed == 0);
  });
}

TEST_CASE("T15 a client that was verified by other authorities than those of the last reload does not come back") {
  run_both([](tls_pair& pair) {
    certificates::authority other("somebody else");
    const certificates::file trusted(pair.authority.certificate());
    pair.server_options.clients = tls::client_auth::require;
    pair.server_options.client_trust.ca_files = {trusted.path()};
    pair.client_options.own = identity_of(pair.authority.issue({.subject = "me", .for_clients = true}));
    CHECK(!connect_once(pair).resumed);
    CHECK(connect_once(pair).resumed);
    trusted.write(pair.authority.certificate() + other.certificate());
    pair.server_context.reload();
    const coming_back after = connect_once(pair);
    CHECK(!after.server);
    CHECK(!after.client);
    CHECK(!after.resumed);
    CHECK(connect_once(pair).resumed);
    trusted.write(other.certificate());
    pair.server_context.reload();
    CHECK(connect_once(pair).server == tls::errc::unknown_authority);
  });
}

TEST_CASE("a response of OCSP is not stapled beyond its time") {
  const time_travel back;
  tls_pair pair;
  const certificates::made own = pair.authority.issue();
  const certificates::file response(pair.authority.ocsp_response(own, false, -60, 600));
  tls::identity one = identity_of(own);
  one.ocsp_file = response.path();
  pair.server_options.identities = {one};
  pair.client_options.require_ocsp = true;
  pair.client_options.resume = false;
  CHECK(!connect_once(pair).client);
  later = 20min;
  CHECK(connect_once(pair).client == tls::errc::no_ocsp_response);
}

TEST_CASE("T15 an end without a goodbye does not take the session with it") {
  run_both([](tls_pair& pair) {
    for (const bool resumed : {false, true, true}) {
      pair.connect();
      CHECK(pair.client.connection()->info<tls::session>()->resumed == resumed);
      pair.made->link.reset();
      pair.run();
      CHECK(pair.client.is_lost());
      pair.disconnect();
    }
  });
}
