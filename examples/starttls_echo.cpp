// TLS that begins inside a connection: starttls_echo ENDPOINT --cert FILE --key FILE
// echoes lines; the line STARTTLS is answered by OK, and everything behind that is TLS, echoed by the same protocol. With --connect it is
// the client of such a server: starttls_echo ENDPOINT --connect --ca FILE --name NAME; it says STARTTLS, then what stands on its standard
// input. SIGHUP makes the server read its files again.

#include <sluice/framing/framed.hpp>
#include <sluice/framing/line.hpp>
#include <sluice/schemes.hpp>
#include <sluice/tls/layer.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

namespace {

namespace tls = sluice::tls;
using sluice::as_text;
using sluice::const_bytes;
using lines = sluice::framing::framed<sluice::framing::line_decoder>;

class line_echo final : public lines {
 public:
  // `secured` is what TLS may still be put in with; nothing once it has begun.
  explicit line_echo(tls::context secured) : secured_(std::move(secured)) {}

 private:
  void message_received(const_bytes line) override {
    const bool starts = secured_ && (as_text(line) == "STARTTLS" || as_text(line) == "STARTTLS\r");
    starts ? start_tls() : void(transport().writev({{line, sluice::as_bytes("\n")}}));
  }

  // The answer still goes in the clear. What came behind the command in the clear goes to the layer, which ends the connection for it: whoever can
  // inject a command here must not have it carried out as if it had come through TLS.
  void start_tls() {
    transport().write("OK\n");
    transport().upgrade(std::make_unique<tls::layer>(transport().scheduler(), secured_), std::make_unique<line_echo>(tls::context()),
                        take_unread());
  }

  void connection_lost(std::error_code reason) override {
    if (reason) std::fprintf(stderr, "starttls_echo: %s\n", reason.message().c_str());
  }

  tls::context secured_;
};

// Sends all of the standard input through TLS and prints what comes back.
class secure_client final : public sluice::protocol {
 public:
  explicit secure_client(int& status) : status_(status) {}

 private:
  void connection_made(sluice::transport& transport) override {
    transport_ = &transport;
    const std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    wanted_ = text.size();
    text.empty() ? transport.close() : void(transport.write(text));
  }
  void data_received(const_bytes data) override {
    std::fwrite(data.data(), 1, data.size(), stdout);
    wanted_ -= std::min(wanted_, data.size());
    if (wanted_ != 0) return;
    status_ = 0;
    transport_->close();
  }

  sluice::transport* transport_ = nullptr;
  std::size_t wanted_ = 0;
  int& status_;
};

class starting_client final : public lines {
 public:
  starting_client(tls::context secured, std::string name, int& status)
      : secured_(std::move(secured)), name_(std::move(name)), status_(status) {}

 private:
  void connection_made(sluice::transport& transport) override {
    lines::connection_made(transport);
    transport.write("STARTTLS\n");
  }
  void message_received(const_bytes line) override {
    if (as_text(line) != "OK") return transport().abort();
    tls::connection_options options;
    options.server_name = name_;
    options.done = [](const auto& outcome) {
      if (!outcome) std::fprintf(stderr, "starttls_echo: %s\n", outcome.detail().c_str());
    };
    transport().upgrade(std::make_unique<tls::layer>(transport().scheduler(), secured_, options), std::make_unique<secure_client>(status_),
                        take_unread());
  }

  tls::context secured_;
  std::string name_;
  int& status_;
};

struct settings {
  std::string endpoint;
  bool connect = false;
  tls::identity shown;
  std::string ca;
  std::string name = "localhost";
};

// The certificate and the key are read again; what is open stays open. If a file is wrong the old ones are used on.
void reload(tls::context& context) {
  try {
    context.reload();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "starttls_echo: %s\n", error.what());
  }
}

int serve(sluice::loop& loop, const settings& chosen) {
  tls::server_options options;
  options.identities = {chosen.shown};
  tls::context context = tls::context::server(options);
  loop.on_signal(SIGHUP, [&context] { reload(context); });
  const auto server = sluice::listen(loop, chosen.endpoint, [context] { return std::make_unique<line_echo>(context); });
  std::printf("listening on %s\n", server->sockets().front().to_string().c_str());
  std::fflush(stdout);
  loop.run();
  return 0;
}

int ask(sluice::loop& loop, const settings& chosen) {
  tls::client_options options;
  if (!chosen.ca.empty()) options.servers.ca_files = {chosen.ca};
  const tls::context context = tls::context::client(options);
  int status = 1;
  const auto make = [&] { return std::make_unique<starting_client>(context, chosen.name, status); };
  const auto attempt = sluice::connect(loop, chosen.endpoint, make, [](const auto& outcome) {
    if (!outcome) std::fprintf(stderr, "starttls_echo: %s\n", outcome.detail().c_str());
  });
  loop.run();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Echoes lines; STARTTLS makes the connection a secure one.");
  settings chosen;
  app.add_option("ENDPOINT", chosen.endpoint, "tcp://127.0.0.1:7000")->required();
  app.add_option("--cert", chosen.shown.chain_file, "PEM: the certificate and its chain");
  app.add_option("--key", chosen.shown.key_file, "PEM: its private key");
  app.add_flag("--connect", chosen.connect, "be the client");
  app.add_option("--ca", chosen.ca, "PEM: whom the client trusts; the system's store if not given");
  app.add_option("--name", chosen.name, "who the server has to be")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    sluice::loop loop;
    return chosen.connect ? ask(loop, chosen) : serve(loop, chosen);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "starttls_echo: %s\n", error.what());
    return 2;
  }
}
