#include <sluice/tls/schemes.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/x509.h>

#include <fcntl.h>

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/loop.hpp>
#include <sluice/schemes.hpp>

#include "verdict.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

// What the options of endpoints do: a server and a client that know of each other only what stands there.

namespace {

struct pem_files {
  explicit pem_files(const certificates::made& of) : made(of), cert(of.certificate), key(of.key) {}
  std::string options() const { return "cert=" + cert.path() + "&key=" + key.path(); }
  certificates::made made;
  certificates::file cert;
  certificates::file key;
};

// Certificates of one authority, in files.
struct cabinet {
  certificates::authority authority{"a test"};
  pem_files server{authority.issue()};
  pem_files client{authority.issue({.subject = "me", .for_clients = true})};
  certificates::file ca{authority.certificate()};

  std::string trusting() const { return "ca=" + ca.path() + "&name=localhost"; }
  std::string asking() const { return "&client_auth=require&client_ca=" + ca.path(); }
};

// One connection: the client says "hello", the server repeats it, and the client closes.
class meeting {
 public:
  meeting(std::string listen_options, std::string connect_options, std::string at = "tls://127.0.0.1:0")
      : at_(std::move(at)), listen_options_(std::move(listen_options)), connect_options_(std::move(connect_options)) {
    server.on_made = [this](transport& made) { seen_by_server = made.info<tls::session>(); };
    server.on_data = [this](const_bytes data) { server.connection()->write(data); };
    server.on_lost = [this](std::error_code) { end(); };
    client.on_made = [this](transport& made) {
      seen_by_client = made.info<tls::session>();
      made.write("hello");
    };
    client.on_data = [this](const_bytes) { client.connection()->close(); };
  }

  // As `server` and `client` react.
  meeting& run() {
    scheme_table table = transport_schemes();
    tls::scheme_options wanted;
    wanted.made = &contexts;
    tls::add_scheme(table, wanted);
    loop.on_error([](const error_event&) {});
    listening_ = table.listen(loop, at_ + '?' + listen_options_, [this] { return borrow(server); });
    patience_.start(20s);
    attempt_ = table.connect(
        loop, reachable() + '?' + connect_options_, [this] { return borrow(client); },
        [this](const result<transport&>& outcome) {
          code = outcome.error();
          detail = outcome.detail();
          if (!outcome) end();
        });
    loop.run();
    return *this;
  }

  void end() {
    patience_.stop();
    listening_->close();
    loop.for_each_transport([](transport& open) { open.abort(); });
  }

  bool talked() const { return !code && client.received() == "hello"; }
  std::string server_subject() const {
    return seen_by_client && !seen_by_client->peer_chain.empty() ? seen_by_client->peer_chain[0].subject : "nobody";
  }
  std::string client_subject() const {
    return seen_by_server && !seen_by_server->peer_chain.empty() ? seen_by_server->peer_chain[0].subject : "nobody";
  }

  std::error_code code;
  std::string detail;
  std::optional<tls::session> seen_by_server;
  std::optional<tls::session> seen_by_client;
  recording_protocol server;
  recording_protocol client;
  std::vector<tls::context> contexts;
  sluice::loop loop;

 private:
  std::string reachable() const {
    if (!at_.ends_with(":0")) return at_;
    return at_.substr(0, at_.size() - 1) + std::to_string(listening_->sockets().at(0).port());
  }

  std::string at_;
  std::string listen_options_;
  std::string connect_options_;
  std::unique_ptr<sluice::server> listening_;
  connecting attempt_;
  timer patience_{loop, [this] { end(); }};
};

bool says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// Without a client: what is wrong with an endpoint.
std::string problem_of(const std::function<void(sluice::loop&, const scheme_table&)>& use, std::vector<tls::context>* contexts = nullptr) {
  sluice::loop loop;
  scheme_table table = transport_schemes();
  tls::scheme_options wanted;
  wanted.made = contexts;
  tls::add_scheme(table, wanted);
  try {
    use(loop, table);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}
std::string problem_of_server(const std::string& options, std::vector<tls::context>* contexts = nullptr) {
  return problem_of(
      [&](sluice::loop& loop, const scheme_table& table) {
        table.listen(loop, "tls://127.0.0.1:0?" + options, [] { return std::make_unique<recording_protocol>(); })->close();
        loop.run();
      },
      contexts);
}
std::string problem_of_client(const std::string& options) {
  return problem_of([&](sluice::loop& loop, const scheme_table& table) {
    table.connect(loop, "tls://127.0.0.1:1?" + options, [] { return std::make_unique<recording_protocol>(); }).cancel();
    loop.run();
  });
}

std::string text_of(const certificates::file& file) {
  std::stringstream text;
  text << std::ifstream(file.path()).rdbuf();
  return text.str();
}

struct row {
  const char* what;
  std::string listen;
  std::string connect;
  std::error_code code = {};  // of the client; without one the two have talked
  std::string server = "CN=a server";
  std::string client = "nobody";
};

void check(const std::vector<row>& rows) {
  for (const row& each : rows) {
    CAPTURE(each.what);
    meeting here(each.listen, each.connect);
    here.run();
    CAPTURE(here.detail);
    CHECK(here.code == each.code);
    CHECK(here.talked() == !each.code);
    if (each.code) continue;
    CHECK(here.server_subject() == each.server);
    CHECK(here.client_subject() == each.client);
  }
}

}  // namespace

TEST_CASE("T15 options of endpoints say what each end shows of itself") {
  cabinet all;
  const certificates::file password("secret\nand what is no part of it\n");
  const certificates::file server_bundle(certificates::pkcs12(all.server.made, "secret"));
  const certificates::file client_bundle(certificates::pkcs12(all.client.made, "secret"));
  const certificates::file locked(certificates::encrypted_key(all.server.made, "secret"));
  const certificates::file together(all.server.made.certificate + all.server.made.key);
  const certificates::file response(all.authority.ocsp_response(all.server.made, false));
  const pem_files second(all.authority.issue({.subject = "second", .names = {"second.test"}}));
  const std::string pairs = all.server.options() + '&' + second.options();
  const std::string secret = "&password_file=" + password.path();
  check({
      {"pkcs12 and password_file of a server", "pkcs12=" + server_bundle.path() + secret, all.trusting()},
      {"password_file for a key", "cert=" + all.server.cert.path() + "&key=" + locked.path() + secret, all.trusting()},
      {"cert without key", "cert=" + together.path(), all.trusting()},
      {"several pairs, the first", pairs, all.trusting()},
      {"several pairs, the second", pairs, "ca=" + all.ca.path() + "&name=second.test", {}, "CN=second"},
      {"a pair and pkcs12", second.options() + "&pkcs12=" + server_bundle.path() + secret, all.trusting()},
      {"unknown_name, first", pairs + "&unknown_name=first", "ca=" + all.ca.path() + "&name=third.test", tls::errc::name_mismatch},
      {"unknown_name, refuse", pairs + "&unknown_name=refuse", "ca=" + all.ca.path() + "&name=third.test", tls::errc::unknown_name},
      {"ocsp", all.server.options() + "&ocsp=" + response.path(), all.trusting() + "&require_ocsp=on"},
      {"no ocsp", all.server.options(), all.trusting() + "&require_ocsp=on", tls::errc::no_ocsp_response},
      {"no ocsp, which is not required", all.server.options(), all.trusting() + "&require_ocsp=off"},
      {"cert and key of a client",
       all.server.options() + all.asking(),
       all.trusting() + '&' + all.client.options(),
       {},
       "CN=a server",
       "CN=me"},
      {"pkcs12 and password_file of a client",
       all.server.options() + all.asking(),
       all.trusting() + "&pkcs12=" + client_bundle.path() + secret,
       {},
       "CN=a server",
       "CN=me"},
  });
  CHECK(says(problem_of_server("pkcs12=" + server_bundle.path()), ": the password is missing or wrong"));
  CHECK(says(problem_of_server(pairs + "&key=" + locked.path()), "there are not as many options key as cert; expected pairs, or no key"));
  CHECK(says(problem_of_server("password_file=" + password.path()), "there is no certificate; expected ?cert=FILE&key=FILE"));
  CHECK(says(problem_of_client(pairs), "there are several certificates; expected one"));
  CHECK(says(problem_of_server(all.server.options() + "&unknown_name=last"), "expected one of first, refuse"));
}

TEST_CASE("T15 options of endpoints say whom each end believes") {
  cabinet all;
  certificates::authority another("another");
  const certificates::file another_ca(another.certificate());
  const certificates::directory directory, empty;
  directory.write(certificates::name_in_directory(all.authority.certificate()), all.authority.certificate());
  const environment_variable store(X509_get_default_cert_file_env(), all.ca.path());
  const environment_variable no_directory(X509_get_default_cert_dir_env(), empty.path());
  const auto pin_of = [](const pem_files& files) {
    return meeting(files.options(), "verify=insecure").run().seen_by_client.value().peer_chain.at(0).sha256;
  };
  const std::string server_pin = pin_of(all.server), client_pin = pin_of(all.client);
  const std::string serving = all.server.options(), name = "&name=localhost", showing = '&' + all.client.options();
  const std::string pinning = serving + "&client_auth=require&client_pin=";
  check({
      {"ca_dir", serving, "ca_dir=" + directory.path() + name},
      {"ca_dir without it", serving, "ca_dir=" + empty.path() + name, tls::errc::unknown_authority},
      {"ca_system, as nobody else is named", serving, "name=localhost"},
      {"ca_system beside another", serving, "ca=" + another_ca.path() + "&ca_system=on" + name},
      {"no ca_system beside another", serving, "ca=" + another_ca.path() + "&ca_system=off" + name, tls::errc::unknown_authority},
      {"pin", serving, "pin=" + server_pin},
      {"pin of another", serving, "pin=" + client_pin, tls::errc::not_pinned},
      {"two pins", serving, "pin=" + client_pin + "&pin=" + server_pin},
      {"client_pin", pinning + client_pin, all.trusting() + showing, {}, "CN=a server", "CN=me"},
      {"client_pin of another", pinning + server_pin, all.trusting() + showing + "&max_version=1.2", tls::errc::refused_our_certificate},
      {"verify", serving, "verify=insecure&name=elsewhere"},
  });
  CHECK(says(problem_of_client("ca_dir=/nowhere"), "/nowhere: is no directory"));
  CHECK(says(problem_of_client("pin=abc"), "expected its SHA-256, 64 hexadecimal digits"));
  CHECK(says(problem_of_server(pinning + "abc"), "expected its SHA-256, 64 hexadecimal digits"));
}

TEST_CASE("T15 tickets are given unless an endpoint says otherwise") {
  for (const bool given : {false, true}) {
    CAPTURE(given);
    cabinet all;
    std::vector<tls::context> contexts;
    const std::string options = all.server.options() + (given ? "" : "&tickets=off");
    CHECK(problem_of_server(options, &contexts) == "no error");
    tls_pair pair;
    pair.server_context = contexts.at(0);
    pair.client_options.servers.ca_pem = all.authority.certificate();
    for (const bool second : {false, true}) {
      pair.connect();
      REQUIRE(!pair.client_code);
      CHECK(pair.client.connection()->info<tls::session>()->resumed == (second && given));
      pair.client.connection()->close();
      pair.run();
      pair.disconnect();
    }
  }
}

TEST_CASE("offload_handshakes of an endpoint has the handshakes reckoned on threads") {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
  };
  const auto threads_of = [&](const std::string& options) {
    cabinet all;
    meeting here(all.server.options() + options, all.trusting());
    const auto before = threads();
    std::ptrdiff_t more = 0;
    here.server.on_made = [&](transport&) { more = threads() - before; };
    here.run();
    CHECK(here.talked());
    return more;
  };
  CHECK(threads_of("&offload_handshakes=off") == 0);
  CHECK(threads_of("&offload_handshakes=on") > 0);
}

TEST_CASE("T4 an endpoint says whether a close waits for the peer's goodbye, and how long") {
  cabinet all;
  for (const bool waits : {false, true}) {
    CAPTURE(waits);
    const std::string option = waits ? "&wait_for_close_notify=on&shutdown_timeout=20ms" : "&shutdown_timeout=20ms";
    const std::error_code reason = waits ? make_error_code(errc::timed_out) : std::error_code();
    meeting server_closes(all.server.options() + option, all.trusting());
    server_closes.server.on_data = [&](const_bytes) { server_closes.server.connection()->close(); };
    server_closes.client.on_eof = [] { return eof::keep_open; };
    server_closes.run();
    CHECK(server_closes.server.lost_reason() == reason);
    meeting client_closes(all.server.options(), all.trusting() + option);
    client_closes.server.on_eof = [] { return eof::keep_open; };
    client_closes.server.on_lost = {};
    client_closes.client.on_lost = [&](std::error_code) { client_closes.end(); };
    client_closes.run();
    CHECK(client_closes.client.lost_reason() == reason);
  }
}

TEST_CASE("T4 T6 two ends that close at the same time both end without a reason, over sockets") {
  cabinet all;
  for (const std::string waits : {"", "&wait_for_close_notify=on"})
    for (const std::string version : {"&max_version=1.2", "&max_version=1.3"}) {
      CAPTURE(waits);
      CAPTURE(version);
      meeting here(all.server.options() + waits, (all.trusting() + waits).append(version));
      const auto end_when_both_are_lost = [&](std::error_code) {
        if (here.client.is_lost() && here.server.is_lost()) here.end();
      };
      here.server.on_lost = here.client.on_lost = end_when_both_are_lost;
      here.server.on_data = [&](const_bytes) {
        here.server.connection()->close();
        here.client.connection()->close();
      };
      here.run();
      CHECK(here.server.trace() == "made, data 5, lost");
      CHECK(here.client.trace() == "made, lost");
    }
}

TEST_CASE("T6 an endpoint says whether an end without a goodbye is one") {
  cabinet all;
  for (const bool allowed : {false, true}) {
    CAPTURE(allowed);
    const std::string option = allowed ? "&allow_truncation=on" : "";
    const std::error_code reason = allowed ? std::error_code() : make_error_code(errc::truncated);
    meeting client_goes(all.server.options() + option, all.trusting());
    client_goes.client.on_data = [&](const_bytes) { client_goes.client.connection()->abort(); };
    client_goes.run();
    CHECK(client_goes.server.lost_reason() == reason);
    CHECK(client_goes.server.count("eof") == (allowed ? 1 : 0));
    meeting server_goes(all.server.options(), all.trusting() + option);
    server_goes.server.on_data = [&](const_bytes) { server_goes.server.connection()->abort(); };
    server_goes.server.on_lost = {};
    server_goes.client.on_lost = [&](std::error_code) { server_goes.end(); };
    server_goes.run();
    CHECK(server_goes.client.lost_reason() == reason);
    CHECK(server_goes.client.count("eof") == (allowed ? 1 : 0));
  }
}

TEST_CASE("T15 an endpoint says where secrets are logged") {
  cabinet all;
  const certificates::file of_server(""), of_client("");
  meeting here(all.server.options() + "&keylog=" + of_server.path(), all.trusting() + "&keylog=" + of_client.path());
  here.run();
  CHECK(here.talked());
  const std::string secrets = text_of(of_server);
  CHECK(says(secrets, "CLIENT_TRAFFIC_SECRET_0 "));
  CHECK(text_of(of_client).size() == secrets.size());
}

TEST_CASE("TLS runs over Unix sockets by a scheme of its own") {
  cabinet all;
  const certificates::directory directory;
  meeting here(all.server.options() + all.asking(), all.trusting() + '&' + all.client.options(),
               "tls+unix:" + directory.path() + "/socket");
  std::string kind;
  here.client.on_made = [&](transport& made) {
    kind = made.info<transport_kind>().value().value;
    here.seen_by_client = made.info<tls::session>();
    made.write("hello");
  };
  here.run();
  CHECK(here.talked());
  CHECK(kind == "unix");
  CHECK(here.client_subject() == "CN=me");
  CHECK(here.server_subject() == "CN=a server");
  meeting nameless(all.server.options(), "ca=" + all.ca.path(), "tls+unix:" + directory.path() + "/socket");
  nameless.run();
  CHECK(nameless.code == tls::errc::name_required);
}

TEST_CASE("T21 descriptors are not passed around TLS, and who asks for the one below gets it for its options") {
  cabinet all;
  const certificates::directory directory;
  meeting here(all.server.options(), all.trusting(), "tls+unix:" + directory.path() + "/socket");
  descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  here.client.on_made = [&](transport& made) {
    const auto below = made.info<native_descriptor>();
    REQUIRE(below);
    CHECK(::fcntl(below->value, F_GETFD) == FD_CLOEXEC);
    CHECK(local::send_descriptors(made, {&file, 1}, as_bytes("in the clear")) == errc::not_supported);
    CHECK(file.is_open());
    made.write("hello");
  };
  here.server.on_data = [&](const_bytes data) {
    CHECK_FALSE(local::take_descriptor(*here.server.connection()));
    here.server.connection()->write(data);
  };
  here.run();
  CHECK(here.talked());
  CHECK(here.server.trace() == "made, data 5, eof, lost");
}
