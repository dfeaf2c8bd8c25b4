#include <sluice/tls/context.hpp>

#include <doctest/doctest.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sluice/error.hpp>

#include "raw_client.hpp"
#include "verdict.hpp"

using namespace sluice;
using namespace sluice::testing;

// Where trust comes from: authorities, what stands between them and a certificate, pins, and what an authority says later.

namespace {

// Trust in the system's store is trust in one certificate.
class system_store {
 public:
  explicit system_store(const std::string& trusted) : file_(trusted) {}

 private:
  certificates::file file_;
  certificates::directory nothing_;
  environment_variable file_name_{X509_get_default_cert_file_env(), file_.path()};
  environment_variable directory_name_{X509_get_default_cert_dir_env(), nothing_.path()};
};

// Fingerprint of `own` as it stands in a session.
std::string pin_of(const certificates::made& own) {
  tls_pair probe;
  probe.server_options.identities = {identity_of(own)};
  probe.client_options.verify_peer = false;
  probe.connect();
  REQUIRE(probe.client.connection() != nullptr);
  return probe.client.connection()->info<tls::session>()->peer_chain.at(0).sha256;
}

// What a server hears of a client that shows `own`.
struct guest {
  std::error_code code;
  std::string subject;
};
guest show(const certificates::made& own, const tls::trust& trusted) {
  tls_pair pair;
  pair.server_options.clients = tls::client_auth::require;
  pair.server_options.client_trust = trusted;
  pair.client_options.own = identity_of(own);
  pair.connect();
  pair.scheduler.advance(std::chrono::minutes(1));
  guest seen{pair.server_code, {}};
  if (!pair.server_code) seen.subject = pair.server.connection()->info<tls::session>()->peer_chain.at(0).subject;
  return seen;
}

// The authorities that a server names to clients.
std::vector<std::string> named_authorities(const tls::trust& trusted, int version) {
  raw_client client(version);
  tls_pair pair;
  pair.server_options.clients = tls::client_auth::request;
  pair.server_options.client_trust = trusted;
  pair.make_contexts();
  memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(pair.server), pair.server_context), borrow(client));
  pair.run();
  CHECK(pair.server.trace() == "made");
  std::vector<std::string> names;
  const STACK_OF(X509_NAME)* const all = SSL_get0_peer_CA_list(client.ssl());
  for (int i = 0; i < sk_X509_NAME_num(all); ++i) {
    char text[256];
    names.emplace_back(X509_NAME_oneline(sk_X509_NAME_value(all, i), text, sizeof text));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("T15 what stands between a server's certificate and its authority is sent along, wherever it comes from") {
  certificates::authority root("the root");
  certificates::authority upper("upper between", root);
  certificates::authority lower("lower between", upper);
  const certificates::made own = lower.issue();
  const std::string between = lower.certificate() + upper.certificate();
  const certificates::file file(own.certificate + between + own.key);
  const certificates::file bundle(certificates::pkcs12(own, "secret", between));
  tls::identity with_file, with_pem, with_bundle;
  with_file.chain_file = file.path();
  with_pem = identity_of(own);
  with_pem.chain_pem += between;
  with_bundle.pkcs12_file = bundle.path();
  with_bundle.password = "secret";
  for (const tls::identity& each : {with_file, with_pem, with_bundle}) {
    tls_pair pair;
    pair.server_options.identities = {each};
    pair.client_options.servers.ca_pem = root.certificate();
    pair.connect();
    REQUIRE(!pair.client_code);
    const auto chain = pair.client.connection()->info<tls::session>()->peer_chain;
    REQUIRE(chain.size() == 3);
    CHECK(chain[0].subject == "CN=a server");
    CHECK(chain[1].subject == "CN=lower between");
    CHECK(chain[2].subject == "CN=upper between");
  }
}

TEST_CASE("T15 a server that does not send what stands between is not believed, unless the client has it") {
  certificates::authority root("the root");
  certificates::authority between("between", root);
  const certificates::made own = between.issue();
  const auto trusting = [&](const std::string& authorities) {
    return ask([&](tls_pair& pair) {
      pair.server_options.identities = {identity_of(own)};
      pair.client_options.servers.ca_pem = authorities;
    });
  };
  const verdict heard = trusting(root.certificate());
  CHECK(heard.code == tls::errc::unknown_authority);
  CHECK(heard.says("the certificate of CN=a server was issued by CN=between, which is not trusted here"));
  CHECK(!trusting(root.certificate() + between.certificate()).code);
  CHECK(!trusting(between.certificate()).code);  // trusted for itself
}

TEST_CASE("T15 a client sends along what stands between its certificate and the authority") {
  certificates::authority root("the root");
  certificates::authority between("between", root);
  tls::trust trusted;
  trusted.ca_pem = root.certificate();
  certificates::made own = between.issue({.subject = "me", .for_clients = true});
  CHECK(show(own, trusted).code == tls::errc::unknown_authority);
  own.certificate += between.certificate();
  const guest seen = show(own, trusted);
  CHECK(!seen.code);
  CHECK(seen.subject == "CN=me");
}

TEST_CASE("T15 a certificate may be trusted for itself, whoever issued it, and its name and dates matter still") {
  const auto trusting_itself = [](const certificates::request& wanted, const std::string& name) {
    return ask([&](tls_pair& pair) {
      certificates::authority unknown("somebody else");
      const certificates::made own = unknown.issue(wanted);
      pair.server_options.identities = {identity_of(own)};
      pair.client_options.servers.ca_pem = own.certificate;
      pair.client_connection.server_name = name;
    });
  };
  CHECK(!trusting_itself({}, "localhost").code);
  CHECK(trusting_itself({}, "elsewhere").code == tls::errc::name_mismatch);
  CHECK(trusting_itself({.begins = -7200, .ends = -3600}, "localhost").code == tls::errc::certificate_expired);
}

TEST_CASE("T15 authorities come from a directory in which they are found by their names") {
  const auto with_directory = [](bool has_it) {
    return ask([&](tls_pair& pair) {
             static std::unique_ptr<certificates::directory> directory;
             directory = std::make_unique<certificates::directory>();
             certificates::authority other("somebody else");
             directory->write(certificates::name_in_directory(other.certificate()), other.certificate());
             if (has_it) directory->write(certificates::name_in_directory(pair.authority.certificate()), pair.authority.certificate());
             pair.client_options.servers = {};
             pair.client_options.servers.ca_dirs = {directory->path()};
           })
        .code;
  };
  CHECK(!with_directory(true));
  CHECK(with_directory(false) == tls::errc::unknown_authority);
  tls::client_options missing;
  missing.servers.ca_dirs = {"/nowhere/certs"};
  CHECK(error_of(missing).find("/nowhere/certs: is no directory") == 0);
}

TEST_CASE("T15 the system's store is asked where nobody else is named, or where it is named, too") {
  certificates::authority system("the system's");
  const system_store there(system.certificate());
  const auto believes = [&](bool of_the_system, bool named, bool with_system) {
    return ask([&](tls_pair& pair) {
             if (of_the_system) pair.server_options.identities = {identity_of(system.issue())};
             if (!named) pair.client_options.servers.ca_pem.clear();
             pair.client_options.servers.system = with_system;
           })
        .code;
  };
  CHECK(!believes(true, false, false));
  CHECK(!believes(true, false, true));
  CHECK(!believes(true, true, true));
  CHECK(!believes(false, true, true));
  CHECK(!believes(false, true, false));
  CHECK(believes(true, true, false) == tls::errc::unknown_authority);
  CHECK(believes(false, false, false) == tls::errc::unknown_authority);
}

TEST_CASE("T15 a server never leaves it to the system who its clients may be, unless it says so") {
  certificates::authority system("the system's");
  const system_store there(system.certificate());
  const certificates::made own = system.issue({.subject = "me", .for_clients = true});
  tls::server_options silent;
  silent.identities = {identity_of(system.issue())};
  silent.clients = tls::client_auth::request;
  CHECK(error_of(silent).find("a server that asks for client certificates needs authorities to verify them by") == 0);
  tls::trust trusted;
  trusted.ca_pem = certificates::authority("another").certificate();
  CHECK(show(own, trusted).code == tls::errc::unknown_authority);
  trusted.system = true;
  CHECK(!show(own, trusted).code);
}

TEST_CASE("T15 a server names its authorities to clients, those of the system excepted") {
  const certificates::authority first("first"), second("second"), third("third"), system("the system's");
  const system_store there(system.certificate());
  const certificates::file file(first.certificate() + second.certificate());
  tls::trust trusted;
  trusted.ca_files = {file.path()};
  trusted.ca_pem = third.certificate();
  trusted.system = true;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CHECK(named_authorities(trusted, version) == std::vector<std::string>{"/CN=first", "/CN=second", "/CN=third"});
    tls::trust only_system;
    only_system.system = true;
    CHECK(named_authorities(only_system, version).empty());
  }
}

TEST_CASE("T15 a server may know its clients by their pins, and then by nothing else") {
  certificates::authority any("anybody");
  const certificates::made own = any.issue({.subject = "me", .ends = -60, .for_clients = true});
  const certificates::made other = any.issue({.subject = "not me", .for_clients = true});
  tls::trust trusted;
  trusted.pinned = {std::string(64, 'a'), pin_of(own)};
  const guest seen = show(own, trusted);
  CHECK(!seen.code);
  CHECK(seen.subject == "CN=me");
  CHECK(show(other, trusted).code == tls::errc::not_pinned);
  trusted.ca_pem = any.certificate();
  CHECK(show(other, trusted).code == tls::errc::not_pinned);
}

TEST_CASE("T15 a pin is 64 hexadecimal digits, with or without colons, and anything else is refused with a word on what is right") {
  const auto error_with = [](const std::string& pin) {
    tls::client_options options;
    options.servers.pinned = {pin};
    std::string text = error_of(options);
    tls::server_options server;
    server.identities = {identity_of(certificates::self_signed({}))};
    server.clients = tls::client_auth::require;
    server.client_trust.pinned = {pin};
    CHECK(error_of(server) == text);
    return text;
  };
  std::string colons = "aB";
  for (int i = 0; i < 31; ++i) colons += ":0F";
  CHECK(error_with(colons) == "no error");
  CHECK(error_with(std::string(64, 'F')) == "no error");
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(40, 'a'),
                                 std::string(63, 'a') + 'g', "sha256/" + std::string(43, 'A') + "=", ' ' + std::string(64, 'a')}) {
    CAPTURE(bad);
    CHECK(error_with(bad).find("pinned certificate \"" + bad + "\": expected its SHA-256, 64 hexadecimal digits") == 0);
  }
}

TEST_CASE("T15 a stapled response that the authority did not sign says nothing") {
  const auto stapled = [](bool revoked, bool required, bool by_somebody_else) {
    return ask([&](tls_pair& pair) {
             const certificates::authority somebody("a test");  // by its name, and that is all
             const certificates::made own = pair.authority.issue();
             static std::unique_ptr<certificates::file> response;
             response = std::make_unique<certificates::file>(
                 pair.authority.ocsp_response(own, revoked, by_somebody_else ? somebody : pair.authority));
             pair.server_options.identities = {identity_of(own)};
             pair.server_options.identities[0].ocsp_file = response->path();
             pair.client_options.require_ocsp = required;
           })
        .code;
  };
  CHECK(!stapled(false, true, false));
  CHECK(stapled(false, true, true) == tls::errc::no_ocsp_response);
  CHECK(stapled(true, false, false) == tls::errc::revoked);
  CHECK(!stapled(true, false, true));
}

TEST_CASE("T15 who issued a certificate says whether it is revoked, and not who issued that") {
  const auto stapled_by = [](bool issuer) {
    return ask([&](tls_pair& pair) {
             certificates::authority between("between", pair.authority);
             const certificates::made own = between.issue();
             static std::unique_ptr<certificates::file> response;
             response = std::make_unique<certificates::file>(between.ocsp_response(own, false, issuer ? between : pair.authority));
             pair.server_options.identities = {identity_of(own)};
             pair.server_options.identities[0].chain_pem += between.certificate();
             pair.server_options.identities[0].ocsp_file = response->path();
             pair.client_options.require_ocsp = true;
           })
        .code;
  };
  CHECK(!stapled_by(true));
  CHECK(stapled_by(false) == tls::errc::no_ocsp_response);
}
