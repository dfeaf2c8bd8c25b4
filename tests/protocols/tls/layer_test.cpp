#include <fcntl.h>
#include <unistd.h>

#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include <sluice/error.hpp>
#include <sluice/testing/failure_sweep.hpp>

#include "raw_client.hpp"
#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

// Bytes of a whole record that is not TLS's idea of one.
constexpr std::string_view http = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

void run_both(const std::function<void(tls_pair&)>& test) {
  for (const auto version : {tls::protocol_version::tls1_2, tls::protocol_version::tls1_3}) {
    CAPTURE(to_string(version));
    tls_pair pair;
    pair.server_options.min_version = pair.server_options.max_version = version;
    test(pair);
  }
}

bool resumes(tls_pair& pair) {
  pair.connect();
  const bool resumed = pair.client.connection()->info<tls::session>()->resumed;
  CHECK(pair.client.connection()->info<tls::session>()->verified);
  pair.client.connection()->close();
  pair.run();
  pair.disconnect();
  return resumed;
}

}  // namespace

TEST_CASE("T1 a handshake that stalls ends at its deadline, and leaves no timer behind") {
  tls_pair pair;
  pair.make_contexts();
  recording_protocol silent;
  memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context), borrow(silent));
  pair.scheduler.advance(9999ms);
  CHECK(!silent.is_lost());
  pair.scheduler.advance(1ms);
  CHECK(silent.is_lost());
  CHECK(pair.server.events().empty());
  CHECK(pair.server_context.counters().failed == 1);
  CHECK(pair.scheduler.next_timer() == time_point::max());
}

TEST_CASE("T1 a deadline of zero or less is refused") {
  tls_pair pair;
  std::error_code error;
  pair.server_options.handshake_timeout = 0ms;
  CHECK(!tls::context::server(pair.server_options, error));
  CHECK(error == tls::errc::bad_option);
  pair.client_options.shutdown_timeout = -1ms;
  CHECK(!tls::context::client(pair.client_options, error));
  CHECK(error == tls::errc::bad_option);
}

TEST_CASE("T2 the protocols hear of the connection after the handshake, and data that came with it follows at once") {
  run_both([](tls_pair& pair) {
    pair.client.on_made = [](transport& made) { made.write("first"); };
    pair.begin();
    CHECK(pair.client.events().empty());
    CHECK(pair.server.events().empty());
    pair.run();
    CHECK(pair.server.trace() == "made, data 5");
    CHECK(pair.client.trace() == "made");
    CHECK(pair.server_context.counters().done == 1);
  });
}

TEST_CASE("T3 closing inside the handshake makes no connection") {
  tls_pair pair;
  pair.begin();
  pair.made->first.close();
  pair.run();
  pair.scheduler.advance(1min);
  CHECK(pair.server.events().empty());
  CHECK(pair.client.events().empty());
  CHECK(pair.client_code == tls::errc::handshake_cut);
  CHECK(pair.scheduler.open_transports() == 0);
}

TEST_CASE("T4 close sends what is queued and the goodbye, and does not wait for the peer's") {
  run_both([](tls_pair& pair) {
    pair.connect();
    pair.client.connection()->pause_reading();
    pair.server.connection()->write("last words");
    pair.server.connection()->close();
    pair.run();
    CHECK(pair.server.trace() == "made, lost");
    pair.client.connection()->resume_reading();
    pair.run();
    CHECK(pair.client.trace() == "made, data 10, eof, lost");
  });
}

TEST_CASE("T4 close may wait for the peer's goodbye, for the shutdown timeout at most") {
  tls_pair pair;
  pair.server_options.wait_for_close_notify = true;
  pair.server_options.shutdown_timeout = 5s;
  pair.connect();
  SUBCASE("it comes") {
    pair.client.on_eof = [] { return eof::keep_open; };
    pair.server.connection()->close();
    pair.run();
    CHECK(pair.server.trace() == "made");
    pair.client.connection()->close();
    pair.run();
    CHECK(pair.server.trace() == "made, lost");
  }
  SUBCASE("it does not come") {
    pair.client.on_eof = [] { return eof::keep_open; };
    pair.server.connection()->close();
    pair.run();
    pair.scheduler.advance(5s);
    CHECK(pair.server.lost_reason() == errc::timed_out);
  }
}

TEST_CASE("T5 data that arrives behind this end's goodbye is discarded without a word") {
  tls_pair pair;
  pair.server_options.wait_for_close_notify = true;
  pair.connect();
  pair.client.on_eof = [] { return eof::keep_open; };
  pair.server.connection()->close();
  pair.run();
  pair.client.connection()->write("too late");
  pair.client.connection()->close();
  pair.run();
  CHECK(pair.server.trace() == "made, lost");
}

TEST_CASE("T6 an end without a goodbye is no end of input but a truncation, unless that is allowed") {
  for (const bool allowed : {false, true}) {
    tls_pair pair;
    pair.server_options.allow_truncation = allowed;
    pair.connect();
    pair.client.connection()->write("half a mess");
    pair.run();
    pair.made->second.close();  // below TLS
    pair.run();
    CHECK(pair.server.trace() == (allowed ? "made, data 11, eof, lost" : "made, data 11, " + lost_line(errc::truncated)));
  }
}

TEST_CASE("T7 T8 behind the peer's goodbye this end may go on sending") {
  tls_pair pair;
  pair.server.on_eof = [] { return eof::keep_open; };
  pair.connect();
  REQUIRE(pair.client.connection()->can_write_eof());
  pair.client.connection()->write_eof();
  pair.run();
  CHECK(pair.server.trace() == "made, eof");
  pair.server.connection()->write(std::string(300'000, 'x'));
  pair.server.connection()->close();
  pair.run();
  CHECK(pair.client.trace() == "made, data 300000, eof, lost");
  CHECK(pair.server.trace().ends_with("lost"));
}

TEST_CASE("E3 T2 write_eof inside the handshake is remembered, and the goodbye goes behind the first words") {
  tls_pair pair;
  pair.client.on_eof = [] { return eof::keep_open; };
  pair.server.on_made = [](transport& made) { made.write("first and last"); };
  pair.make_contexts();
  auto serving = std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context);
  CHECK(serving->can_write_eof());
  CHECK_FALSE(serving->write_eof());
  memory::pair(pair.scheduler, std::move(serving),
               std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, pair.client_connection));
  pair.run();
  CHECK(pair.client.trace() == "made, data 14, eof");
  pair.client.connection()->write("heard");
  pair.client.connection()->close();
  pair.run();
  CHECK(pair.server.trace() == "made, data 5, eof, lost");
}

TEST_CASE(
    "E5 a handshake that ends in TLS 1.2, which has no half-close, reports the write_eof that came before, and the output stays open") {
  std::vector<std::string> reports;
  tls_pair pair;
  pair.scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  pair.client_options.max_version = tls::protocol_version::tls1_2;
  pair.make_contexts();
  auto serving = std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context);
  tls::layer& server = *serving;
  auto asking = std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, pair.client_connection);
  CHECK_FALSE(asking->can_write_eof());  // the context knows it from the first
  CHECK(asking->write_eof() == errc::not_supported);
  memory::pair(pair.scheduler, std::move(serving), std::move(asking));
  CHECK_FALSE(server.write_eof());
  pair.run();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("misuse: write_eof inside the handshake: " + make_error_code(errc::not_supported).message()) != std::string::npos);
  CHECK_FALSE(server.can_write_eof());
  pair.server.connection()->write("still open");
  pair.run();
  CHECK(pair.client.trace() == "made, data 10");
}

TEST_CASE("E4 a connection that ends in connection_made has no complaint about the write_eof that came before") {
  std::vector<std::string> reports;
  tls_pair pair;
  pair.scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  pair.client_options.max_version = tls::protocol_version::tls1_2;
  pair.make_contexts();
  SUBCASE("closed") {
    pair.server.on_made = [](transport& made) { made.close(); };
  }
  SUBCASE("aborted") {
    pair.server.on_made = [](transport& made) { made.abort(); };
  }
  auto serving = std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context);
  tls::layer& server = *serving;
  memory::pair(pair.scheduler, std::move(serving),
               std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, pair.client_connection));
  CHECK_FALSE(server.write_eof());
  pair.run();
  CHECK(pair.server.is_lost());
  CHECK(reports.empty());
}

TEST_CASE("X2 T12 a protocol that throws when it is made is no success for who waits for the handshake") {
  tls_pair pair;
  pair.scheduler.on_error([](const error_event&) {});
  pair.client.on_made = [](transport&) { throw std::runtime_error("no"); };
  pair.connect();
  CHECK(pair.client_code == sluice::errc::protocol_threw);
  CHECK(pair.client.lost_reason() == sluice::errc::protocol_threw);
}

TEST_CASE("T12 a connection that its own check ends is told as the failure that it is, once") {
  tls_pair pair;
  int failures = 0;
  pair.client_options.on_failure = [&](std::uint64_t, std::error_code, std::string_view) { ++failures; };
  pair.client_options.check_peer = [&](const tls::session&) {
    pair.made->second.abort();
    return true;
  };
  pair.connect();
  CHECK(pair.client_code == sluice::errc::aborted);
  CHECK(pair.client.events().empty());
  CHECK(failures == 1);
  CHECK(pair.client_context.counters().failed == 1);
  CHECK(pair.client_context.counters().done == 0);
}

TEST_CASE("T3 V5 a layer that was ended before it is put in is the end of the connection, and whoever asked for it hears that") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    tls_pair pair;
    pair.make_contexts();
    recording_protocol asker, peer;
    int told = 0;
    pair.server_connection.done = [&](const result<transport&>& outcome) {
      ++told;
      CHECK(!outcome);
    };
    const auto made = memory::pair(pair.scheduler, borrow(asker), borrow(peer));
    auto between = std::make_unique<tls::layer>(pair.scheduler, pair.server_context, pair.server_connection);
    abort ? between->abort() : between->close();
    CHECK(!made.first.upgrade(std::move(between), borrow(pair.server)));
    pair.scheduler.advance(1min);
    CHECK(asker.trace() == "made, " + lost_line(sluice::errc::aborted));
    CHECK(pair.server.trace().empty());
    CHECK(peer.is_lost());
    CHECK(told == 1);
    CHECK(pair.scheduler.open_transports() == 0);
  }
}

TEST_CASE("T12 start_tls behind the peer's end fails at once") {
  tls_pair pair;
  pair.make_contexts();
  recording_protocol asker, peer;
  asker.on_eof = [] { return eof::keep_open; };
  const auto made = memory::pair(pair.scheduler, borrow(asker), borrow(peer));
  made.second.write_eof();
  pair.run();
  CHECK(!made.first.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.server_context), borrow(pair.server)));
  pair.run();
  CHECK(asker.lost_reason() == tls::errc::handshake_cut);
}

TEST_CASE("I3 TLS inside TLS does not answer for the TLS below it before it has its own") {
  tls_pair pair;
  pair.connect();
  CHECK(pair.server.connection()->info<tls::session>());
  recording_protocol inner;
  auto between = std::make_unique<tls::layer>(pair.scheduler, pair.server_context);
  const tls::layer& above = *between;
  CHECK(!pair.server.connection()->upgrade(std::move(between), borrow(inner)));
  pair.run();
  CHECK(above.tls_state() == tls::layer_machine::state::handshaking);
  CHECK(!above.info<tls::session>());
  CHECK(above.info<transport_kind>()->value == "memory");
}

TEST_CASE("T12 a layer that is taken out in its handshake tells who waits for it") {
  tls_pair pair;
  pair.make_contexts();
  recording_protocol asker, next, peer;
  std::error_code told;
  pair.server_connection.done = [&](const result<transport&>& outcome) { told = outcome.error(); };
  const auto made = memory::pair(pair.scheduler, borrow(asker), borrow(peer));
  CHECK(
      !made.first.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.server_context, pair.server_connection), borrow(pair.server)));
  pair.run();
  CHECK(!made.first.set_protocol(borrow(next)));
  pair.run();
  CHECK(told == sluice::errc::aborted);
  CHECK(pair.server_context.counters().failed == 1);
  CHECK(next.trace() == "made");
  made.first.close();
  pair.run();
}

TEST_CASE("T9 a pause does not keep the goodbye from being heard") {
  tls_pair pair;
  pair.server_options.wait_for_close_notify = true;
  pair.connect();
  pair.server.connection()->pause_reading();
  pair.client.connection()->write("unread");
  pair.run();
  pair.server.connection()->close();
  pair.run();
  CHECK(pair.server.trace() == "made, lost");
}

TEST_CASE("T10 flow control goes through: a pause stops the peer, and one resume lets everything go on") {
  tls_pair pair;
  pair.connect();
  pair.server.connection()->pause_reading();
  std::size_t written = 0;
  const std::string block(10'000, 'b');
  while (pair.client.count("pause") == 0 && written < 10'000'000) {
    pair.client.connection()->write(block);
    written += block.size();
    pair.run();
  }
  CHECK(pair.client.count("pause") == 1);
  CHECK(written < 1'000'000);
  CHECK(pair.server.received().empty());
  pair.server.connection()->resume_reading();
  pair.run();
  CHECK(pair.server.received().size() == written);
  CHECK(pair.client.count("resume") == 1);
  CHECK(pair.client.connection()->get_write_buffer_size() == 0);
}

TEST_CASE("T11 start_tls is an upgrade at both ends, and keeps a pause") {
  tls_pair pair;
  pair.make_contexts();
  recording_protocol plain_server, plain_client;
  const auto made = memory::pair(pair.scheduler, borrow(plain_server), borrow(plain_client));
  made.first.pause_reading();
  made.first.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.server_context), borrow(pair.server));
  made.second.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.client_context, pair.client_connection), borrow(pair.client));
  pair.client.on_made = [](transport& secure) { secure.write("secret"); };
  pair.run();
  CHECK(pair.server.trace() == "made");
  CHECK(!pair.server.connection()->is_reading());
  pair.server.connection()->resume_reading();
  pair.run();
  CHECK(pair.server.trace() == "made, data 6");
  CHECK(plain_server.trace() == "made");
  CHECK(plain_client.trace() == "made");
}

TEST_CASE("T12 a failed start_tls is one connection_lost with the error of TLS, for the protocol that asked") {
  tls_pair pair;
  pair.client_connection.server_name = "elsewhere";
  pair.make_contexts();
  recording_protocol plain_server, plain_client;
  const auto made = memory::pair(pair.scheduler, borrow(plain_server), borrow(plain_client));
  made.first.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.server_context), borrow(pair.server));
  made.second.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.client_context, pair.client_connection), borrow(pair.client));
  pair.run();
  pair.scheduler.advance(1min);
  CHECK(plain_client.trace() == "made, " + lost_line(tls::errc::name_mismatch));
  CHECK(plain_server.trace() == "made, " + lost_line(tls::errc::refused_our_certificate));
  CHECK(pair.client.events().empty());
  CHECK(pair.server.events().empty());
}

TEST_CASE("T13 bytes that came in the clear before TLS end the connection, unless they are said to be TLS") {
  for (const bool allowed : {false, true}) {
    CAPTURE(allowed);
    tls_pair pair;
    pair.make_contexts();
    recording_protocol plain, injector;
    const auto made = memory::pair(pair.scheduler, borrow(plain), borrow(injector));
    tls::connection_options options;
    options.received_is_tls = allowed;
    plain.on_data = [&](const_bytes data) {
      made.first.upgrade(std::make_unique<tls::layer>(pair.scheduler, pair.server_context, options), borrow(pair.server), data.subspan(9));
    };
    made.second.write("STARTTLS\nMAIL FROM: <mallory>\n");
    pair.run();
    pair.scheduler.advance(1min);
    CHECK(plain.lost_reason() == (allowed ? tls::errc::not_tls : tls::errc::plaintext_before_tls));
    CHECK(pair.server.events().empty());
  }
}

TEST_CASE("T15 what was agreed on can be asked for") {
  tls_pair pair;
  pair.server_options.alpn = {"b", "a"};
  pair.client_options.alpn = {"a", "b"};
  pair.connect();
  const auto seen = pair.client.connection()->info<tls::session>();
  REQUIRE(seen);
  CHECK(seen->version == tls::protocol_version::tls1_3);
  CHECK(seen->cipher.starts_with("TLS_"));
  CHECK(seen->alpn == "b");
  CHECK(seen->server_name == "localhost");
  CHECK(seen->verified);
  CHECK(!seen->resumed);
  REQUIRE(seen->peer_chain.size() == 1);
  CHECK(seen->peer_chain[0].subject == "CN=a server");
  CHECK(seen->peer_chain[0].issuer == "CN=a test");
  CHECK(seen->peer_chain[0].names == std::vector<std::string>{"localhost"});
  CHECK(seen->peer_chain[0].sha256.size() == 64);
  CHECK(pair.client.connection()->info<transport_kind>()->value == "memory");
}

TEST_CASE("T15 a session is resumed, also behind a new ticket key") {
  run_both([](tls_pair& pair) {
    CHECK(!resumes(pair));
    CHECK(resumes(pair));
    CHECK(pair.server_context.counters().resumed == 1);
    pair.server_context.rotate_ticket_keys();
    CHECK(resumes(pair));
    pair.client_context.reload();  // forgets its sessions
    CHECK(!resumes(pair));
  });
}

// The client uses each ticket of TLS 1.3 once, and got two at first.
TEST_CASE("T15 who comes back gets the ticket for the next time") {
  run_both([](tls_pair& pair) {
    CHECK(!resumes(pair));
    for (int i = 0; i < 4; ++i) CHECK(resumes(pair));
  });
}

TEST_CASE("S15 T17 what is not TLS is one error that says so, and makes no connection") {
  const auto answer_to = [](std::string_view bytes) {
    tls_pair pair;
    pair.server_connection.done = {};
    std::string detail;
    pair.server_options.on_failure = [&](std::uint64_t, std::error_code, std::string_view text) { detail = text; };
    pair.make_contexts();
    recording_protocol stranger;
    std::error_code code;
    tls::connection_options options;
    options.done = [&](const result<transport&>& outcome) { code = outcome.error(); };
    const auto made = memory::pair(
        pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context, options), borrow(stranger));
    made.second.write(bytes);
    pair.run();
    pair.scheduler.advance(1min);
    CHECK(pair.server.events().empty());
    CHECK(stranger.is_lost());
    CHECK(!detail.empty());
    CHECK(pair.server_context.counters().failed == 1);
    return code;
  };
  CHECK(answer_to(http) == tls::errc::plain_http);
  CHECK(answer_to("DELETE /it HTTP/1.1\r\nHost: here\r\n\r\n") == tls::errc::plain_http);
  CHECK(answer_to("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == tls::errc::plain_http);
  CHECK(answer_to("SSH-2.0-OpenSSH_9.2\r\n") == tls::errc::not_tls);
  CHECK(answer_to(std::string(1000, '\0')) == tls::errc::not_tls);
  CHECK(answer_to(std::string_view("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10)) == tls::errc::protocol_violation);
}

TEST_CASE("T6 T17 a goodbye inside the handshake is an error, and no success") {
  tls_pair pair;
  pair.make_contexts();
  recording_protocol stranger;
  stranger.on_data = [&](const_bytes) { stranger.connection()->write(std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7)); };
  tls::connection_options options = pair.client_connection;
  std::error_code code;
  options.done = [&](const result<transport&>& outcome) {
    CHECK(!outcome);
    code = outcome.error();
  };
  memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.client), pair.client_context, options),
               borrow(stranger));
  pair.scheduler.advance(1min);
  CHECK(code == tls::errc::handshake_cut);
  CHECK(pair.client.events().empty());
}

TEST_CASE("T16 a peer that renegotiates is refused, and the connection ends") {
  raw_client client(TLS1_2_VERSION);
  tls_pair pair;
  pair.make_contexts();
  SSL_set_options(client.ssl(), SSL_OP_LEGACY_SERVER_CONNECT);
  memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context), borrow(client));
  pair.run();
  REQUIRE(pair.server.trace() == "made");
  SSL_renegotiate(client.ssl());
  SSL_do_handshake(client.ssl());
  client.flush();
  pair.run();
  CHECK(pair.server.lost_reason() == tls::errc::renegotiation);
}

TEST_CASE("T16 a peer that asks for new keys all the time and reads nothing is cut off before the answers pile up") {
  raw_client client(TLS1_3_VERSION);
  tls_pair pair;
  pair.make_contexts();
  const auto made =
      memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context), borrow(client));
  pair.run();
  REQUIRE(pair.server.trace() == "made");
  made.second.pause_reading();
  for (int i = 0; i < 100'000 && !pair.server.is_lost(); ++i) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_write(client.ssl(), "x", 1);
    client.flush();
    pair.run();
    CHECK(made.first.get_write_buffer_size() < 128 * 1024);
  }
  CHECK(pair.server.is_lost());
}

TEST_CASE("T18 a program may end the connection from everything that TLS asks it") {
  for (int where = 0; where < 3; ++where) {
    CAPTURE(where);
    tls_pair pair;
    const auto end_it = [&pair] { pair.made->first.abort(); };
    pair.begin();
    if (where == 0) pair.server.on_made = [&](transport&) { end_it(); };
    if (where == 1) pair.server.on_data = [&](const_bytes) { end_it(); };
    if (where == 2) pair.server.on_eof = [&] { return end_it(), eof::keep_open; };
    pair.client.on_made = [](transport& made) {
      made.write("data");
      made.write_eof();
    };
    pair.run();
    CHECK(pair.server.is_lost());
  }
}

TEST_CASE("T18 a check of the program's own refuses a peer, and so does one that throws") {
  for (const bool throws : {false, true}) {
    tls_pair pair;
    pair.client_options.check_peer = [throws](const tls::session& seen) {
      CHECK(seen.verified);
      if (throws) throw std::runtime_error("no");
      return false;
    };
    pair.scheduler.on_error([](const error_event&) {});
    pair.connect();
    pair.scheduler.advance(1min);
    CHECK(pair.client.events().empty());
    CHECK(pair.client_code == tls::errc::rejected);
  }
}

TEST_CASE("T19 nothing is left in OpenSSL's error queue, and what others left there is no error of ours") {
  tls_pair pair;
  ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
  pair.connect();
  CHECK(pair.server.trace() == "made");
  CHECK(ERR_peek_error() == 0);
  pair.made->second.write(http);  // garbage between records
  pair.run();
  CHECK(pair.server.is_lost());
  CHECK(pair.server.lost_reason().category() == tls::tls_category());
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("T20 one huge write arrives whole, and small ones of one turn are one record") {
  tls_pair pair;
  pair.connect();
  std::string huge(5'000'000, '\0');
  for (std::size_t i = 0; i < huge.size(); ++i) huge[i] = static_cast<char>(i * 7 / 3);
  pair.server.connection()->write(huge);
  pair.run();
  CHECK((pair.client.received() == huge));
  const std::uint64_t sends = pair.made->first.counters().sends;
  const std::uint64_t bytes = pair.made->first.counters().bytes_sent;
  {
    const auto turn = pair.scheduler.cork();
    for (int i = 0; i < 100; ++i) pair.server.connection()->write("0123456789");
  }
  CHECK(pair.made->first.counters().sends == sends + 1);
  CHECK(pair.made->first.counters().bytes_sent - bytes == 1000 + 22);
}

TEST_CASE("T21 there is no way around TLS: what is on the link is more than what was written") {
  tls_pair pair;
  pair.connect();
  pair.server.connection()->write("secret");
  pair.run();
  CHECK(pair.client.received() == "secret");
  CHECK(pair.made->second.counters().bytes_received > 6 + 22);
}

TEST_CASE("T21 H1 a file goes through TLS: what is on the link is records, and not one byte of it in the clear") {
  tls_pair pair;
  pair.connect();
  const std::string text(300'000, 'f');
  char name[] = "/tmp/sluice-tls-file-XXXXXX";
  descriptor file(::mkostemp(name, O_CLOEXEC));
  ::unlink(name);
  REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  const std::uint64_t before = pair.made->first.counters().bytes_sent;
  std::uint64_t taken = 0;
  CHECK_FALSE(pair.server.connection()->send_file(std::move(file), 0, to_the_end, [&](std::error_code error, std::uint64_t bytes) {
    CHECK_FALSE(error);
    taken = bytes;
  }));
  pair.run();
  CHECK(taken == text.size());
  CHECK(pair.client.received() == text);
  CHECK(pair.made->first.counters().bytes_sent - before >= text.size() + 22 * (text.size() / 16384));  // each record has its own overhead
}

TEST_CASE("one failure of the link, wherever it strikes, is one end on each side") {
  const auto scenario = [](std::size_t n) {
    tls_pair pair;
    pair.begin();
    pair.made->link.fail_after(n, system_error(ECONNRESET));
    pair.client.on_made = [](transport& made) { made.write("hello"); };
    pair.server.on_data = [&](const_bytes data) { pair.server.connection()->write(data); };
    pair.run();
    if (pair.client.connection() != nullptr) pair.client.connection()->close();
    pair.run();
    pair.scheduler.advance(2min);
    CHECK(pair.scheduler.open_transports() == 0);
    CHECK(pair.server_context.counters().begun == pair.server_context.counters().done + pair.server_context.counters().failed);
    return pair.made->link.struck();
  };
  CHECK(failure_sweep(scenario) > 8);
}
