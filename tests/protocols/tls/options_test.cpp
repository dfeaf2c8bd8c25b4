#include <sluice/tls/context.hpp>

#include <doctest/doctest.h>

#include <openssl/ssl.h>

#include <cstddef>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <sluice/error.hpp>

#include "raw_client.hpp"
#include "verdict.hpp"

using namespace sluice;
using namespace sluice::testing;

// What a context never does, whoever asks for it, and what it does for the environment.

namespace {

// A server with keys of both kinds, so that it is the cipher alone that decides.
struct server_for_raw_clients {
  explicit server_for_raw_clients(int version) : client(version) {
    pair.server_options.identities = identities();
    pair.server_connection.done = [this](const result<transport&>& outcome) { code = outcome.error(); };
    pair.make_contexts();
  }
  void connect() {
    memory::pair(pair.scheduler,
                 std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context, pair.server_connection),
                 borrow(client));
    pair.run();
  }

  std::error_code code;
  raw_client client;
  tls_pair pair;

 private:
  // Made once: a key of RSA takes long, and raw clients believe everybody.
  static const std::vector<tls::identity>& identities() {
    static const std::vector<tls::identity> both = {identity_of(certificates::self_signed({.rsa = true})),
                                                    identity_of(certificates::self_signed({}))};
    return both;
  }
};

std::string text_in(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a cipher of TLS 1.2 without forward secrecy, or without authenticated encryption, is refused") {
  const auto answer_to = [](const char* cipher) {
    CAPTURE(cipher);
    server_for_raw_clients here(TLS1_2_VERSION);
    REQUIRE(SSL_set_cipher_list(here.client.ssl(), cipher) == 1);
    here.connect();
    if (!here.code) CHECK(SSL_get_cipher_name(here.client.ssl()) == std::string(cipher));
    return here.code;
  };
  for (const char* const good : {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
                                 "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"})
    CHECK(!answer_to(good));
  for (const char* const bad : {"AES128-SHA", "AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA",
                                "ECDHE-RSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM"})
    CHECK(answer_to(bad) == tls::errc::no_common_cipher);
}

TEST_CASE("a client offers no cipher of TLS 1.2 but those with forward secrecy and authenticated encryption") {
  tls_pair pair;
  pair.make_contexts();
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(pair.client_context.native_handle()), SSL_free);
  STACK_OF(SSL_CIPHER)* const offered = SSL_get1_supported_ciphers(ssl.get());
  CHECK(sk_SSL_CIPHER_num(offered) > 3);
  for (int i = 0; i < sk_SSL_CIPHER_num(offered); ++i) {
    const SSL_CIPHER* const each = sk_SSL_CIPHER_value(offered, i);
    CAPTURE(SSL_CIPHER_get_name(each));
    CHECK(SSL_CIPHER_is_aead(each) == 1);
    const int exchange = SSL_CIPHER_get_kx_nid(each);
    CHECK((exchange == NID_kx_ecdhe || exchange == NID_kx_any));  // any: TLS 1.3
  }
  sk_SSL_CIPHER_free(offered);
}

TEST_CASE("nothing is compressed") {
  server_for_raw_clients here(TLS1_2_VERSION);
  SSL_clear_options(here.client.ssl(), SSL_OP_NO_COMPRESSION);
  here.connect();
  CHECK(!here.code);
  CHECK(SSL_get_current_compression(here.client.ssl()) == nullptr);
  CHECK((SSL_CTX_get_options(here.pair.server_context.native_handle()) & SSL_OP_NO_COMPRESSION) != 0);
  CHECK((SSL_CTX_get_options(here.pair.client_context.native_handle()) & SSL_OP_NO_COMPRESSION) != 0);
}

TEST_CASE("early data is not accepted, and no ticket says that it is") {
  server_for_raw_clients here(TLS1_3_VERSION);
  here.connect();
  CHECK(!here.code);
  SSL_SESSION* const session = SSL_get_session(here.client.ssl());
  REQUIRE(SSL_SESSION_is_resumable(session) == 1);
  CHECK(SSL_SESSION_get_max_early_data(session) == 0);
  CHECK(SSL_CTX_get_max_early_data(here.pair.server_context.native_handle()) == 0);
}

TEST_CASE("early data that comes all the same is not heard, and the connection goes on without it") {
  raw_client again(TLS1_3_VERSION);
  server_for_raw_clients here(TLS1_3_VERSION);
  here.connect();
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_get1_session(here.client.ssl()), SSL_SESSION_free);
  REQUIRE(SSL_SESSION_set_max_early_data(session.get(), 16384) == 1);
  here.pair.disconnect();
  REQUIRE(SSL_set_session(again.ssl(), session.get()) == 1);
  std::size_t written = 0;
  REQUIRE(SSL_write_early_data(again.ssl(), "early", 5, &written) == 1);
  memory::pair(here.pair.scheduler, std::make_unique<tls::layer>(here.pair.scheduler, borrow(here.pair.server), here.pair.server_context),
               borrow(again));
  here.pair.run();
  CHECK(SSL_get_early_data_status(again.ssl()) == SSL_EARLY_DATA_REJECTED);
  CHECK(SSL_session_reused(again.ssl()) == 1);
  SSL_write(again.ssl(), "in time", 7);
  again.flush();
  here.pair.run();
  CHECK(here.pair.server.received() == "in time");
}

TEST_CASE("T15 the environment says where secrets are logged, to programs that ask it, and the program's own word goes first") {
  for (const bool of_server : {false, true}) {
    CAPTURE(of_server);
    const certificates::file named(""), own("");
    const environment_variable there("SSLKEYLOGFILE", named.path());
    const auto connect = [&](bool on, const std::string& keylog_file) {
      tls_pair pair;
      tls::common_options& options = of_server ? static_cast<tls::common_options&>(pair.server_options) : pair.client_options;
      options.keylog_from_environment = on;
      options.keylog_file = keylog_file;
      pair.connect();
      CHECK(!pair.client_code);
    };
    connect(false, "");
    CHECK(text_in(named.path()).empty());
    connect(true, own.path());
    CHECK(text_in(named.path()).empty());
    CHECK(text_in(own.path()).find("CLIENT_TRAFFIC_SECRET_0 ") != std::string::npos);
    connect(true, "");
    CHECK(text_in(named.path()).find("CLIENT_TRAFFIC_SECRET_0 ") != std::string::npos);
  }
}

TEST_CASE("T15 a log of secrets that the environment names and that cannot be written is an error") {
  const environment_variable there("SSLKEYLOGFILE", "/nowhere/secrets");
  tls::client_options options;
  options.servers.pinned = {std::string(64, 'a')};
  CHECK(error_of(options) == "no error");
  options.keylog_from_environment = true;
  CHECK(error_of(options).find("/nowhere/secrets: secrets cannot be written there: ") == 0);
}
