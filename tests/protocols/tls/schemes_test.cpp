#include <sluice/tls/schemes.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/schemes.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using testing::recording_protocol;

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
