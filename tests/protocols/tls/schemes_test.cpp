#include <sluice/tls/schemes.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/loop.hpp>
#include <sluice/schemes.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "certificates.hpp"

using namespace sluice;
using testing::recording_protocol;

namespace {

class echo final : public protocol {
  void connection_made(transport& made) override { transport_ = &made; }
  void data_received(const_bytes data) override { transport_->write(data); }

  transport* transport_ = nullptr;
};

struct failure {
  std::error_code code;
  std::string detail;
  std::string peer;
};

// A server and clients of one table.
struct site {
  explicit site(std::string at = "127.0.0.1", std::string name = "localhost")
      : host(std::move(at)), own(authority.issue({.names = {std::move(name)}})) {
    tls::scheme_options options;
    options.made = &contexts;
    options.on_server_failure = note_in(server_failures);
    options.on_client_failure = note_in(client_failures);
    tls::add_scheme(table, options);
    listen({});
  }
  ~site() {
    server->close();
    server->close_clients();
    loop.run();
  }

  void listen(const std::string& server_options) {
    server = table.listen(loop, "tls://" + host + ":0?cert=" + cert.path() + "&key=" + key.path() + server_options,
                          [] { return std::make_unique<echo>(); });
    to = "tls://" + host + ':' + std::to_string(server->sockets().front().port()) + '?';
  }

  // What comes of a connection that says a word and hears it again; the client's error, if there is one.
  std::error_code ask(const std::string& options) {
    recording_protocol client;
    std::error_code code;
    session = {};
    client.on_made = [&](transport& made) {
      session = *made.info<tls::session>();
      made.write("hello");
    };
    client.on_data = [&](const_bytes) {
      if (client.received() == "hello") client.connection()->close();
    };
    client.on_lost = [&](std::error_code reason) {
      code = reason;
      loop.stop();
    };
    const connecting attempt = table.connect(
        loop, to + options, [&] { return borrow(client); },
        [&](const result<transport&>& outcome) {
          if (outcome) return;
          code = outcome.error();
          loop.stop();
        });
    loop.run();
    return code;
  }
  std::string trusting() const { return "ca=" + ca.path(); }

  tls::failure_handler note_in(std::vector<failure>& all) {
    return [this, &all](std::uint64_t id, std::error_code code, std::string_view detail) {
      failure& one = all.emplace_back(failure{code, std::string(detail), {}});
      loop.for_each_transport([&](const transport& each) {
        if (const auto peer = each.info<peer_address>(); each.id() == id && peer) one.peer = peer->value.to_string();
      });
    };
  }

  std::string host;
  certificates::authority authority{"a test"};
  certificates::made own;
  certificates::file cert{own.certificate};
  certificates::file key{own.key};
  certificates::file ca{authority.certificate()};
  std::vector<tls::context> contexts;
  std::vector<failure> server_failures;
  std::vector<failure> client_failures;
  tls::session session;
  sluice::loop loop;
  scheme_table table = transport_schemes();
  std::unique_ptr<sluice::server> server;
  std::string to;
};

}  // namespace

TEST_CASE("N7 T3 a cancelled connect ends the handshake: the peer sees the end, and nobody is told") {
  recording_protocol silent, client;
  bool told = false;
  sluice::loop loop;
  scheme_table table = transport_schemes();
  tls::add_scheme(table);
  tcp::server server(loop, [&] { return borrow(silent); });
  const address at = server.listen({"127.0.0.1", 0});
  std::optional<connecting> attempt;
  silent.on_data = [&](const_bytes) {  // the hello
    CHECK(attempt->in_progress());
    SUBCASE("by its call") { attempt->cancel(); }
    SUBCASE("by destroying it") { attempt.reset(); }
  };
  silent.on_lost = [&](std::error_code) { server.close(); };
  attempt.emplace(table.connect(
      loop, "tls://127.0.0.1:" + std::to_string(at.port()) + "?verify=insecure", [&] { return borrow(client); },
      [&](const result<transport&>&) { told = true; }));
  loop.run();
  CHECK(silent.is_lost());
  CHECK(client.events().empty());
  CHECK(!told);
  CHECK(loop.open_transports() == 0);
}

TEST_CASE("a handshake that fails is told to whoever waits for the connection, with what a person should do") {
  recording_protocol plain, client;
  std::error_code code;
  std::string detail;
  sluice::loop loop;
  scheme_table table = transport_schemes();
  tls::add_scheme(table);
  tcp::server server(loop, [&] { return borrow(plain); });
  const address at = server.listen({"127.0.0.1", 0});
  plain.on_made = [](transport& made) { made.write("220 speak, and not in TLS\r\n"); };
  const connecting attempt = table.connect(
      loop, "tls://127.0.0.1:" + std::to_string(at.port()) + "?verify=insecure", [&] { return borrow(client); },
      [&](const result<transport&>& outcome) {
        code = outcome.error();
        detail = outcome.detail();
        server.close();
        server.close_clients();
      });
  loop.run();
  CHECK(code == tls::errc::not_tls);
  CHECK(detail.find("check the port") != std::string::npos);
  CHECK(client.events().empty());
}

TEST_CASE("a table without sockets has nothing to put TLS over") {
  scheme_table empty;
  CHECK_THROWS_AS(tls::add_scheme(empty), std::invalid_argument);
}

TEST_CASE("S15 a handshake that fails is told to the program, with whose it was, at the end that listens") {
  for (const char* const version : {"1.2", "1.3"}) {
    CAPTURE(version);
    site here;
    here.listen("&client_auth=require&client_ca=" + here.ca.path() + "&max_version=" + version);
    CHECK(here.ask(here.trusting() + "&name=localhost"));
    REQUIRE(here.server_failures.size() == 1);
    CHECK(here.server_failures[0].code == tls::errc::no_certificate);
    CHECK(here.server_failures[0].detail.find("certificate") != std::string::npos);
    CHECK(here.server_failures[0].peer.starts_with("127.0.0.1:"));
    CHECK(here.client_failures.size() == 1);
  }
}

TEST_CASE("S15 a handshake that fails is told to the program at the end that connects") {
  site here;
  here.server->close();
  CHECK(here.ask(here.trusting() + "&name=elsewhere") == std::errc::connection_refused);
  CHECK(here.client_failures.empty());
  site other;
  CHECK(other.ask(other.trusting() + "&name=elsewhere") == tls::errc::name_mismatch);
  REQUIRE(other.client_failures.size() == 1);
  CHECK(other.client_failures[0].code == tls::errc::name_mismatch);
  CHECK(other.client_failures[0].detail.find("asked for elsewhere") != std::string::npos);
  CHECK(other.client_failures[0].peer == "127.0.0.1:" + std::to_string(other.server->sockets().front().port()));
}

TEST_CASE("connections with the same options share a context: they read files once and come back to their sessions") {
  site here;
  CHECK(!here.ask(here.trusting() + "&name=localhost"));
  CHECK(!here.session.resumed);
  REQUIRE(here.contexts.size() == 2);  // the server's, then the client's
  CHECK(!here.contexts[1].is_server());
  REQUIRE(std::remove(here.ca.path().c_str()) == 0);
  CHECK(!here.ask("name=localhost&nodelay=off&" + here.trusting()));
  CHECK(here.session.resumed);
  CHECK(here.contexts.size() == 2);
  CHECK(here.contexts[1].counters().resumed == 1);
  CHECK_THROWS_AS(here.contexts[1].reload(), std::system_error);  // the file is gone
  here.ca.write(here.authority.certificate());
  here.contexts[1].reload();
  CHECK(!here.ask(here.trusting() + "&name=localhost"));
}

TEST_CASE("a name belongs to the connection, each other option to the context") {
  site here;
  CHECK(!here.ask(here.trusting() + "&name=localhost"));
  CHECK(here.ask(here.trusting() + "&name=elsewhere") == tls::errc::name_mismatch);
  CHECK(here.contexts.size() == 2);
  CHECK(!here.ask(here.trusting() + "&verify=insecure"));
  CHECK(!here.session.resumed);
  CHECK(!here.session.verified);
  CHECK(here.contexts.size() == 3);
  CHECK(here.ask("name=localhost") == tls::errc::unknown_authority);
  CHECK(here.contexts.size() == 4);
}

TEST_CASE("a context that cannot be made is not kept") {
  site here;
  REQUIRE(std::remove(here.ca.path().c_str()) == 0);
  CHECK_THROWS_AS(here.ask(here.trusting() + "&name=localhost"), std::system_error);
  CHECK(here.contexts.size() == 1);
  here.ca.write(here.authority.certificate());
  CHECK(!here.ask(here.trusting() + "&name=localhost"));
  CHECK(here.contexts.size() == 2);
}

TEST_CASE("the password of a key is read once, too") {
  site here;
  const certificates::file locked(certificates::encrypted_key(here.own, "secret"));
  const certificates::file password("secret\n");
  const std::string options = here.trusting() + "&name=localhost&cert=" + here.cert.path() + "&key=" + locked.path() + "&password_file=";
  CHECK_THROWS_AS(here.ask(options + here.cert.path()), std::system_error);
  CHECK(!here.ask(options + password.path()));
  REQUIRE(std::remove(password.path().c_str()) == 0);
  CHECK(!here.ask(options + password.path()));
  CHECK(here.session.resumed);
}

TEST_CASE("the contexts of the 16 sets of options that were used last are kept") {
  site here;
  const auto options = [&here](int number) {
    return here.trusting() + "&name=localhost&handshake_timeout=" + std::to_string(30 + number) + 's';
  };
  for (int i = 0; i < 16; ++i) CHECK(!here.ask(options(i)));
  CHECK(here.contexts.size() == 17);
  CHECK(!here.ask(options(0)));  // so that the next one is the oldest
  CHECK(here.session.resumed);
  CHECK(!here.ask(options(16)));
  CHECK(here.contexts.size() == 17);
  CHECK(here.contexts.front().is_server());
  CHECK(!here.ask(options(0)));
  CHECK(here.session.resumed);
  CHECK(!here.ask(options(1)));
  CHECK(!here.session.resumed);
  CHECK(here.contexts.size() == 17);
}

TEST_CASE("the zone of an IPv6 address is no part of the name that the server has to have") {
  site here("[::1]", "IP:::1");
  here.to.insert(here.to.find(']'), "%1");
  CHECK(!here.ask(here.trusting()));
  CHECK(here.session.server_name.empty());
  CHECK(here.ask(here.trusting() + "&name=::2") == tls::errc::name_mismatch);
  CHECK(here.client_failures.back().detail.find("asked for ::2") != std::string::npos);
}
