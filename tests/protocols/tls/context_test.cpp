#include <sluice/tls/context.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include <sys/stat.h>
#include <unistd.h>

#include <sluice/error.hpp>

#include "verdict.hpp"

using namespace sluice;
using namespace sluice::testing;

TEST_CASE("T15 a client verifies chain, dates and name, and says what is wrong") {
  CHECK(!ask([](tls_pair&) {}).code);
  const verdict wrong_host = ask([](tls_pair& pair) { pair.client_connection.server_name = "example.org"; });
  CHECK(wrong_host.code == tls::errc::name_mismatch);
  CHECK(wrong_host.says("asked for example.org, the certificate is for localhost"));
  const auto with = [](const certificates::request& wanted) {
    return ask([&](tls_pair& pair) { pair.server_options.identities = {identity_of(pair.authority.issue(wanted))}; });
  };
  const verdict expired = with({.begins = -7200, .ends = -3600});
  CHECK(expired.code == tls::errc::certificate_expired);
  CHECK(expired.says("CN=a server expired on 20"));
  CHECK(with({.begins = 3600}).code == tls::errc::certificate_not_yet_valid);
  CHECK(with({.for_clients = true}).code == tls::errc::certificate_unsuitable);
  CHECK(with({.subject = "localhost", .names = {}}).code == tls::errc::name_mismatch);  // a common name is no name
  CHECK(with({.names = {"IP:127.0.0.1"}}).code == tls::errc::name_mismatch);
  CHECK(with({.names = {"l*st"}}).code == tls::errc::name_mismatch);
  const verdict self = ask([](tls_pair& pair) { pair.server_options.identities = {identity_of(certificates::self_signed({}))}; });
  CHECK(self.code == tls::errc::self_signed);
  const verdict untrusted = ask([](tls_pair& pair) {
    certificates::authority other("somebody else");
    pair.server_options.identities = {identity_of(other.issue())};
  });
  CHECK(untrusted.code == tls::errc::unknown_authority);
  CHECK(untrusted.says("was issued by CN=somebody else"));
}

TEST_CASE("T15 an IP address is verified as one") {
  const auto at = [](const std::string& address, const std::string& certified) {
    return ask([&](tls_pair& pair) {
             pair.client_connection.server_name = address;
             pair.server_options.identities = {identity_of(pair.authority.issue({.names = {certified}}))};
           })
        .code;
  };
  CHECK(!at("127.0.0.1", "IP:127.0.0.1"));
  CHECK(!at("::1", "IP:::1"));
  CHECK(at("127.0.0.1", "IP:127.0.0.2") == tls::errc::name_mismatch);
  CHECK(at("127.0.0.1", "127.0.0.1") == tls::errc::name_mismatch);  // a host name that looks like one
}

TEST_CASE("T15 a client that verifies has to say whom it wants") {
  const verdict nobody = ask([](tls_pair& pair) { pair.client_connection.server_name.clear(); });
  CHECK(nobody.code == tls::errc::name_required);
  CHECK(!ask([](tls_pair& pair) {
           pair.client_connection.server_name.clear();
           pair.client_options.verify_peer = false;
         }).code);
}

TEST_CASE("T15 a program may decide itself about a peer that does not hold, and learns why it does not") {
  for (const bool accepts : {false, true}) {
    CAPTURE(accepts);
    tls_pair pair;
    pair.server_options.identities = {identity_of(pair.authority.issue({.begins = -7200, .ends = -3600}))};
    pair.client_options.check_decides = true;
    tls::session seen;
    pair.client_options.check_peer = [&](const tls::session& session) {
      seen = session;
      return accepts;
    };
    for (int i = 0; i < 2; ++i) {
      pair.connect();
      CHECK(seen.verify_error == tls::errc::certificate_expired);
      CHECK(seen.verify_detail.find("the certificate of CN=a server expired on ") == 0);
      CHECK(!seen.verified);
      CHECK(!seen.resumed);
      CHECK(pair.client_code == (accepts ? std::error_code() : make_error_code(tls::errc::certificate_expired)));
      CHECK(pair.client.events().empty() != accepts);
      if (accepts) CHECK(pair.client.connection()->info<tls::session>()->verify_error == tls::errc::certificate_expired);
      pair.disconnect();
    }
  }
}

TEST_CASE("T15 a server may decide itself about its clients, and asks those who do not hold each time") {
  tls_pair pair;
  certificates::authority other("somebody else");
  pair.server_options.clients = tls::client_auth::require;
  pair.server_options.client_trust.ca_pem = pair.authority.certificate();
  pair.server_options.check_decides = true;
  std::vector<std::error_code> seen;
  pair.server_options.check_peer = [&](const tls::session& session) {
    seen.push_back(session.verify_error);
    return true;
  };
  pair.client_options.own = identity_of(other.issue({.subject = "me", .for_clients = true}));
  for (int i = 0; i < 2; ++i) {
    pair.connect();
    CHECK(pair.server.trace() == "made");
    CHECK(!pair.server.connection()->info<tls::session>()->resumed);
    pair.disconnect();
  }
  CHECK(seen == std::vector<std::error_code>(2, tls::errc::unknown_authority));
}

TEST_CASE("T15 a server's name is one that a certificate can be for, and a dot at its end is no part of it") {
  const auto asked_for = [](const std::string& name) { return ask([&](tls_pair& pair) { pair.client_connection.server_name = name; }); };
  CHECK(!asked_for("localhost.").code);
  CHECK(!asked_for("LOCALHOST").code);
  for (const std::string& name :
       {std::string("localhost\0.example", 18), std::string(".localhost"), std::string("a..b"), std::string("localhost.."),
        std::string(254, 'a'), std::string(64, 'a') + ".test", std::string("local host"), std::string("."), std::string("fe80::1%lo"),
        std::string("[::1]"), std::string("localhost:443")}) {
    CAPTURE(name);
    const verdict heard = asked_for(name);
    CHECK(heard.code == tls::errc::bad_option);
    CHECK(heard.says("is no host name and no IP address"));
  }
  CHECK(asked_for(std::string(63, 'a') + "._under-score.test").code == tls::errc::name_mismatch);
}

TEST_CASE("T15 a pinned certificate is trusted for itself, and no other") {
  const auto pinned = [](bool right) {
    return ask([&](tls_pair& pair) {
             const certificates::made own = certificates::self_signed({.names = {}, .ends = -60});
             pair.server_options.identities = {identity_of(own)};
             tls_pair probe;
             probe.server_options.identities = pair.server_options.identities;
             probe.client_options.verify_peer = false;
             probe.connect();
             pair.client_options.servers = {};
             std::string pin = probe.client.connection()->info<tls::session>()->peer_chain.at(0).sha256;
             if (!right) pin[0] = pin[0] == '0' ? '1' : '0';
             pair.client_options.servers.pinned = {pin};
           })
        .code;
  };
  CHECK(!pinned(true));
  CHECK(pinned(false) == tls::errc::not_pinned);
}

TEST_CASE("T15 a revoked certificate is refused by its stapled response, and a response may be required") {
  const auto stapled = [](std::optional<bool> revoked, bool required, long begins = -60, long ends = 3600) {
    return ask([&](tls_pair& pair) {
             const certificates::made own = pair.authority.issue();
             tls::identity one = identity_of(own);
             static std::unique_ptr<certificates::file> response;
             if (revoked) {
               response = std::make_unique<certificates::file>(pair.authority.ocsp_response(own, *revoked, begins, ends));
               one.ocsp_file = response->path();
             }
             pair.server_options.identities = {one};
             pair.client_options.require_ocsp = required;
           })
        .code;
  };
  CHECK(!stapled(false, true));
  CHECK(stapled(true, false) == tls::errc::revoked);
  CHECK(!stapled(std::nullopt, false));
  CHECK(stapled(std::nullopt, true) == tls::errc::no_ocsp_response);
  CHECK(stapled(false, true, -7200, -3600) == tls::errc::no_ocsp_response);
}

TEST_CASE("T15 a certificate may say that a response has to be stapled") {
  for (const bool stapled : {false, true}) {
    const verdict heard = ask([&](tls_pair& pair) {
      const certificates::made own = pair.authority.issue({.must_staple = true});
      static std::unique_ptr<certificates::file> response;
      response = std::make_unique<certificates::file>(pair.authority.ocsp_response(own, false));
      tls::identity one = identity_of(own);
      if (stapled) one.ocsp_file = response->path();
      pair.server_options.identities = {one};
    });
    CHECK(heard.code == (stapled ? std::error_code() : make_error_code(tls::errc::no_ocsp_response)));
  }
}

TEST_CASE("T15 of certificates for the same names that one is shown whose kind of key the client can verify") {
  for (const bool knows_rsa : {false, true}) {
    CAPTURE(knows_rsa);
    tls_pair pair;
    const certificates::made rsa = pair.authority.issue({.subject = "rsa", .rsa = true});
    const certificates::made ecdsa = pair.authority.issue({.subject = "ecdsa"});
    const certificates::file rsa_response(pair.authority.ocsp_response(rsa, false));
    const certificates::file ecdsa_response(pair.authority.ocsp_response(ecdsa, false));
    pair.server_options.identities = {identity_of(rsa), identity_of(ecdsa)};
    pair.server_options.identities[0].ocsp_file = rsa_response.path();
    pair.server_options.identities[1].ocsp_file = ecdsa_response.path();
    pair.client_options.require_ocsp = true;
    pair.make_contexts();
    const char* const algorithms = knows_rsa ? "rsa_pss_rsae_sha256" : "ECDSA+SHA256";
    CHECK(SSL_CTX_set1_sigalgs_list(pair.client_context.native_handle(), algorithms) == 1);
    pair.connect();
    REQUIRE(!pair.client_code);
    CHECK(pair.client.connection()->info<tls::session>()->peer_chain.at(0).subject == (knows_rsa ? "CN=rsa" : "CN=ecdsa"));
  }
}

TEST_CASE("T15 the name that is asked for selects the certificate: exact, or one label for a star") {
  const auto shown_for = [](const std::string& name, tls::unknown_name policy) {
    tls_pair pair;
    pair.server_options.unknown = policy;
    pair.server_options.identities = {identity_of(pair.authority.issue({.subject = "first", .names = {"first.test"}})),
                                      identity_of(pair.authority.issue({.subject = "star", .names = {"*.star.test"}})),
                                      identity_of(pair.authority.issue({.subject = "exact", .names = {"exact.test", "exact.star.test"}}))};
    pair.client_options.verify_peer = false;
    pair.client_connection.server_name = name;
    pair.connect();
    if (pair.client_code) return std::string(pair.client_code.message());
    return pair.client.connection()->info<tls::session>()->peer_chain.at(0).subject;
  };
  using tls::unknown_name;
  CHECK(shown_for("exact.test", unknown_name::use_first) == "CN=exact");
  CHECK(shown_for("EXACT.test", unknown_name::use_first) == "CN=exact");
  CHECK(shown_for("a.star.test", unknown_name::use_first) == "CN=star");
  CHECK(shown_for("exact.star.test", unknown_name::use_first) == "CN=exact");
  CHECK(shown_for("a.b.star.test", unknown_name::use_first) == "CN=first");
  CHECK(shown_for("star.test", unknown_name::use_first) == "CN=first");
  CHECK(shown_for("", unknown_name::refuse) == "CN=first");
  CHECK(shown_for("other.test", unknown_name::refuse) == make_error_code(tls::errc::unknown_name).message());
}

TEST_CASE("T15 a server asks for client certificates, and verifies them") {
  const auto shows = [](tls::client_auth wanted, bool has_one, bool trusted) {
    tls_pair pair;
    certificates::authority other("somebody else");
    pair.server_options.clients = wanted;
    if (wanted != tls::client_auth::none) pair.server_options.client_trust.ca_pem = pair.authority.certificate();
    if (has_one) pair.client_options.own = identity_of((trusted ? pair.authority : other).issue({.subject = "me", .for_clients = true}));
    pair.connect();
    pair.scheduler.advance(std::chrono::minutes(1));
    if (pair.server_code) return pair.server_code.message();
    const auto seen = pair.server.connection()->info<tls::session>();
    return seen->peer_chain.empty() ? std::string("nobody") : seen->peer_chain[0].subject;
  };
  using tls::client_auth;
  CHECK(shows(client_auth::none, true, true) == "nobody");
  CHECK(shows(client_auth::request, false, true) == "nobody");
  CHECK(shows(client_auth::request, true, true) == "CN=me");
  CHECK(shows(client_auth::require, true, true) == "CN=me");
  CHECK(shows(client_auth::require, false, true) == make_error_code(tls::errc::no_certificate).message());
  CHECK(shows(client_auth::request, true, false) == make_error_code(tls::errc::unknown_authority).message());
}

TEST_CASE("T15 a client without the certificate that is required hears that it is that, whatever the version") {
  for (const tls::protocol_version version : {tls::protocol_version::tls1_2, tls::protocol_version::tls1_3}) {
    CAPTURE(tls::to_string(version));
    tls_pair pair;
    pair.server_options.clients = tls::client_auth::require;
    pair.server_options.client_trust.ca_pem = pair.authority.certificate();
    pair.client_options.max_version = version;
    pair.connect();
    pair.scheduler.advance(std::chrono::minutes(1));
    CHECK(pair.server_code == tls::errc::no_certificate);
    const bool in_handshake = version == tls::protocol_version::tls1_2;  // of 1.3 the client hears behind its own end of it
    CHECK((in_handshake ? pair.client_code : pair.client.lost_reason()) == tls::errc::refused_our_certificate);
  }
}

TEST_CASE("options that would not be looked at are refused") {
  certificates::authority authority("a test");
  tls::server_options server;
  server.identities = {identity_of(authority.issue())};
  server.client_trust.ca_pem = authority.certificate();
  CHECK(error_of(server).find("whom to believe among clients is said, and no client is asked for a certificate") == 0);
  const auto client_error = [](const tls::client_options& options) {
    std::error_code error;
    tls::context::client(options, error);
    return error;
  };
  tls::client_options pinned;
  pinned.servers.pinned = {std::string(64, 'a')};
  CHECK(!client_error(pinned));
  pinned.require_ocsp = true;
  CHECK(client_error(pinned) == tls::errc::bad_option);
  pinned.require_ocsp = false;
  pinned.verify_peer = false;
  CHECK(client_error(pinned) == tls::errc::bad_option);
  tls::client_options undecided;
  undecided.check_decides = true;
  CHECK(client_error(undecided) == tls::errc::bad_option);
  tls::client_options half;
  half.own.key_pem = authority.issue().key;
  CHECK(client_error(half) == tls::errc::bad_option);
  tls::client_options talkative;
  talkative.alpn.assign(65, std::string(255, 'a'));
  CHECK(client_error(talkative) == tls::errc::bad_option);
}

TEST_CASE("T15 a client that comes back is still who it was") {
  tls_pair pair;
  pair.server_options.clients = tls::client_auth::require;
  pair.server_options.client_trust.ca_pem = pair.authority.certificate();
  pair.client_options.own = identity_of(pair.authority.issue({.subject = "me", .for_clients = true}));
  for (const bool resumed : {false, true}) {
    pair.connect();
    const auto seen = pair.server.connection()->info<tls::session>();
    CHECK(seen->resumed == resumed);
    CHECK(seen->peer_chain.at(0).subject == "CN=me");
    pair.client.connection()->close();
    pair.run();
    pair.disconnect();
  }
}

TEST_CASE("T15 ALPN without a protocol in common ends the handshake, for both to read") {
  tls_pair pair;
  pair.server_options.alpn = {"h2"};
  pair.client_options.alpn = {"imap"};
  pair.connect();
  CHECK(pair.server_code == tls::errc::no_common_protocol);
  CHECK(pair.client_code == tls::errc::no_common_protocol);
}

TEST_CASE("versions without one in common end the handshake, for both to read") {
  tls_pair pair;
  pair.server_options.min_version = tls::protocol_version::tls1_3;
  pair.client_options.max_version = tls::protocol_version::tls1_2;
  pair.connect();
  CHECK(pair.server_code == tls::errc::wrong_version);
  CHECK(pair.client_code == tls::errc::wrong_version);
}

TEST_CASE("T15 secrets are logged where that is asked for") {
  const certificates::file log("");
  tls_pair pair;
  pair.client_options.keylog_file = log.path();
  pair.connect();
  std::stringstream text;
  text << std::ifstream(log.path()).rdbuf();
  CHECK(text.str().find("CLIENT_TRAFFIC_SECRET_0 ") != std::string::npos);
  CHECK(text.str().ends_with('\n'));
}

TEST_CASE("T15 a file for secrets that is made is nobody else's") {
  const certificates::file place("");
  tls_pair pair;
  pair.client_options.keylog_file = place.path() + ".new";
  pair.connect();
  struct stat found {};
  CHECK(stat(pair.client_options.keylog_file.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  CHECK(found.st_size > 0);
  CHECK(unlink(pair.client_options.keylog_file.c_str()) == 0);
}

TEST_CASE("an identity comes from PEM, encrypted or not, or from PKCS#12") {
  certificates::authority authority("a test");
  const certificates::made own = authority.issue();
  const certificates::file chain(own.certificate);
  const certificates::file key(own.key);
  const certificates::file both(own.certificate + own.key);
  const certificates::file locked(certificates::encrypted_key(own, "secret"));
  const certificates::file bundle(certificates::pkcs12(own, "secret"));
  const auto with = [](tls::identity one) {
    tls::server_options options;
    options.identities = {std::move(one)};
    return error_of(options);
  };
  const auto pem = [&](const std::string& key_file, const std::string& password) {
    tls::identity one;
    one.chain_file = chain.path();
    one.key_file = key_file;
    one.password = password;
    return with(one);
  };
  const auto p12 = [&](const std::string& password) {
    tls::identity one;
    one.pkcs12_file = bundle.path();
    one.password = password;
    return with(one);
  };
  tls::identity together;
  together.chain_file = both.path();
  CHECK(with(together) == "no error");
  CHECK(pem(key.path(), "") == "no error");
  CHECK(pem(locked.path(), "secret") == "no error");
  CHECK(pem(locked.path(), "").find(locked.path() + ": the private key is encrypted; give its password") == 0);
  CHECK(pem(locked.path(), "wrong").find(locked.path() + ": the password does not fit") == 0);
  CHECK(p12("secret") == "no error");
  CHECK(p12("wrong").find(bundle.path() + ": the password is missing or wrong") == 0);
  CHECK(pem("/nowhere/key.pem", "").find("/nowhere/key.pem: ") == 0);
  CHECK(pem(chain.path(), "").find(chain.path() + ": holds no private key") == 0);
  const certificates::file other(authority.issue().key);
  CHECK(pem(other.path(), "").find(other.path() + ": the private key does not belong to the certificate") == 0);
  CHECK(with({}).find("an identity needs") == 0);
  CHECK(pem("/tmp", "").find("/tmp: is a directory; expected a file") == 0);
  CHECK(pem("/dev/zero", "").find("/dev/zero: is no regular file") == 0);
  const certificates::file pipe("");
  CHECK((unlink(pipe.path().c_str()) == 0 && mkfifo(pipe.path().c_str(), 0600) == 0));
  CHECK(pem(pipe.path(), "").find(pipe.path() + ": is no regular file") == 0);
  const certificates::file nothing("");
  CHECK(pem(nothing.path(), "").find(nothing.path() + ": is empty") == 0);
  tls::identity twice = together;
  twice.chain_pem = own.certificate;
  CHECK(with(twice).find("an identity has a certificate chain in a file and one in memory") == 0);
  tls::identity stapling = together;
  const certificates::file other_response(authority.ocsp_response(authority.issue(), false));
  stapling.ocsp_file = other_response.path();
  CHECK(with(stapling).find(other_response.path() + ": holds no OCSP response for the certificate of " + both.path()) == 0);
  stapling.ocsp_file = chain.path();
  CHECK(with(stapling).find(chain.path() + ": holds no OCSP response for the certificate of " + both.path()) == 0);
  tls::server_options twins;
  twins.identities = {together, together};
  CHECK(error_of(twins).find(both.path() + ": is for the same names and has the same kind of key as " + both.path()) == 0);
  CHECK(error_of({}).find("a server needs an identity") == 0);
}

TEST_CASE("a reload gives new connections what the files hold now, leaves open ones, and keeps the old where the new is wrong") {
  tls_pair pair;
  const certificates::made first = pair.authority.issue({.subject = "first"});
  const certificates::made second = pair.authority.issue({.subject = "second"});
  const certificates::file file(first.certificate + first.key);
  tls::identity one;
  one.chain_file = file.path();
  pair.server_options.identities = {one};
  pair.client_options.resume = false;
  const auto shown = [&] { return pair.client.connection()->info<tls::session>()->peer_chain.at(0).subject; };
  pair.connect();
  CHECK(shown() == "CN=first");
  file.write(second.certificate + second.key);
  pair.server_context.reload();
  pair.client.connection()->write("still open");
  pair.run();
  CHECK(pair.server.received() == "still open");
  pair.disconnect();
  pair.connect();
  CHECK(shown() == "CN=second");
  pair.disconnect();
  file.write("rubbish");
  std::error_code error;
  pair.server_context.reload(error);
  CHECK(error == tls::errc::bad_file);
  pair.connect();
  CHECK(shown() == "CN=second");
}
