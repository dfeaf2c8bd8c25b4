#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "tls_pair.hpp"

// Our client and the servers of others; each of them serves one or two connections and ends.

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

namespace {

// A program that prints a line which ends with ":PORT" once it listens.
class other_server {
 public:
  explicit other_server(const std::string& command) : out_(popen(("timeout 30 " + command + " 2>&1").c_str(), "r"), pclose) {
    char line[1024];
    while (port_ == 0 && std::fgets(line, sizeof line, out_.get()) != nullptr) {
      seen_ += line;
      const std::string text(line);
      const std::size_t colon = text.find_last_of(':');
      if (colon != text.npos && std::isdigit(static_cast<unsigned char>(text[colon + 1])) != 0)
        port_ = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
    }
    INFO(seen_);
    REQUIRE(port_ != 0);
  }
  std::uint16_t port() const { return port_; }

 private:
  std::unique_ptr<FILE, int (*)(FILE*)> out_;
  std::uint16_t port_ = 0;
  std::string seen_;
};

struct answer {
  std::string text;
  std::error_code code;
  tls::session session;
};

// Says "hello\n", hears one line, and closes.
answer ask(std::uint16_t port, const tls::context& context) {
  recording_protocol client;
  sluice::loop loop;
  answer heard;
  timer patience(loop, [&] { loop.for_each_transport([](transport& open) { open.abort(); }); });
  patience.start(20s);
  client.on_made = [&](transport& made) {
    heard.session = *made.info<tls::session>();
    made.write("hello\n");
  };
  client.on_data = [&](const_bytes) {
    if (client.received().ends_with('\n')) client.connection()->close();
  };
  client.on_lost = [&](std::error_code) { patience.stop(); };
  tls::connection_options wanted;
  wanted.server_name = "localhost";
  wanted.done = [&](const result<transport&>& outcome) {
    heard.code = outcome.error();
    if (!outcome) patience.stop();
  };
  const auto attempt = tcp::connect(loop, {"127.0.0.1", port},
                                    wrap<tls::layer>(
                                        loop, [&] { return borrow(client); }, context, wanted));
  loop.run();
  heard.text = client.received();
  return heard;
}

struct files {
  explicit files(tls_pair& pair, const certificates::request& wanted = {})
      : own(pair.authority.issue(wanted)), cert(own.certificate), key(own.key), ca(pair.authority.certificate()) {}
  certificates::made own;
  certificates::file cert;
  certificates::file key;
  certificates::file ca;
};

constexpr const char* python_server = R"(
import socket, ssl, sys
cert, key, ca, count = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
context.load_cert_chain(cert, key)
context.verify_mode = ssl.CERT_REQUIRED
context.set_alpn_protocols(["lines"])
listening = socket.create_server(("127.0.0.1", 0))
print("at 127.0.0.1:%d" % listening.getsockname()[1], flush=True)
for _ in range(int(count)):
    with context.wrap_socket(listening.accept()[0], server_side=True) as peer:
        peer.recv(100)
        peer.sendall((dict(peer.getpeercert()["subject"][0])["commonName"] + " " + str(peer.session_reused) + "\n").encode())
        peer.recv(100)
)";

constexpr const char* node_server = R"(
const tls = require("tls"), fs = require("fs");
const [cert, key] = process.argv.slice(1).map((name) => fs.readFileSync(name));
const server = tls.createServer({ cert, key }, (peer) => { peer.on("data", (data) => peer.write(data)); peer.on("close", () => server.close()); });
server.listen(0, "127.0.0.1", () => console.log("at 127.0.0.1:" + server.address().port));
)";

}  // namespace

TEST_CASE("a client of ours talks to openssl s_server") {
  for (const char* const version : {"-tls1_2", "-tls1_3"}) {
    CAPTURE(version);
    tls_pair pair;
    const files all(pair);
    const other_server server("openssl s_server -accept 127.0.0.1:0 -naccept 1 -rev " + std::string(version) + " -cert " + all.cert.path() +
                              " -key " + all.key.path());
    const answer heard = ask(server.port(), tls::context::client(pair.client_options));
    CHECK(!heard.code);
    CHECK(heard.text == "olleh\n");
    CHECK(heard.session.verified);
  }
}

TEST_CASE("T15 a client of ours shows its certificate to Python's ssl, and comes back") {
  tls_pair pair;
  const files all(pair);
  const certificates::file script(python_server);
  const other_server server("python3 " + script.path() + ' ' + all.cert.path() + ' ' + all.key.path() + ' ' + all.ca.path() + " 2");
  pair.client_options.own = identity_of(pair.authority.issue({.subject = "me", .for_clients = true}));
  pair.client_options.alpn = {"lines"};
  const tls::context context = tls::context::client(pair.client_options);
  const answer first = ask(server.port(), context);
  CHECK(first.text == "me False\n");
  CHECK(first.session.alpn == "lines");
  CHECK(ask(server.port(), context).text == "me True\n");
}

TEST_CASE("a client of ours talks to Node") {
  tls_pair pair;
  const files all(pair);
  const certificates::file script(node_server);
  const other_server server("node -e \"$(cat " + script.path() + ")\" " + all.cert.path() + ' ' + all.key.path());
  CHECK(ask(server.port(), tls::context::client(pair.client_options)).text == "hello\n");
}

TEST_CASE("T15 a client of ours refuses a server of others that is not who it should be") {
  tls_pair pair;
  const files all(pair, {.names = {"elsewhere"}});
  const other_server server("openssl s_server -accept 127.0.0.1:0 -naccept 1 -rev -cert " + all.cert.path() + " -key " + all.key.path());
  const answer heard = ask(server.port(), tls::context::client(pair.client_options));
  CHECK(heard.code == tls::errc::name_mismatch);
  CHECK(heard.text.empty());
}
