// The code of docs/tls.md.

#include <sluice/schemes.hpp>
#include <sluice/tcp.hpp>
#include <sluice/tls/layer.hpp>
#include <sluice/tls/schemes.hpp>

#include <csignal>
#include <cstdio>
#include <vector>

namespace tls = sluice::tls;

void serve(sluice::loop& loop, const sluice::protocol_factory& factory) {
  tls::server_options options;
  options.identities.emplace_back();
  options.identities[0].chain_file = "cert.pem";
  options.identities[0].key_file = "key.pem";
  const tls::context context = tls::context::server(options);
  sluice::tcp::server server(loop, sluice::wrap<tls::layer>(loop, factory, context));
  server.listen({"127.0.0.1", 7443});
  loop.run();
}

void ask(sluice::loop& loop, const sluice::protocol_factory& factory) {
  const tls::context context = tls::context::client({});
  tls::connection_options wanted;
  wanted.server_name = "example.org";
  wanted.done = [](const sluice::result<sluice::transport&>& outcome) {
    if (!outcome) std::fprintf(stderr, "%s\n", outcome.detail().c_str());
  };
  auto attempt = sluice::tcp::connect(loop, "example.org", 443, sluice::wrap<tls::layer>(loop, factory, context, wanted));
  loop.run();
}

void serve_endpoint(sluice::loop& loop, const sluice::protocol_factory& factory) {
  std::vector<tls::context> contexts;
  sluice::scheme_table schemes = sluice::transport_schemes();
  tls::scheme_options options;
  options.made = &contexts;
  options.on_server_failure = [](std::uint64_t, std::error_code, std::string_view detail) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(detail.size()), detail.data());
  };
  tls::add_scheme(schemes, options);
  const auto server = schemes.listen(loop, "tls://127.0.0.1:7443?cert=cert.pem&key=key.pem", factory);
  loop.on_signal(SIGHUP, [&] {
    for (tls::context& each : contexts) each.reload();
  });
  loop.run();
}

void show(const sluice::transport& transport) {
  if (const auto session = transport.info<tls::session>())
    std::printf("%s %s %s\n", to_string(session->version), session->cipher.c_str(), session->alpn.c_str());
}

tls::context debuggable(tls::client_options options) {
  options.keylog_from_environment = true;  // SSLKEYLOGFILE=secrets.txt ./program
  return tls::context::client(options);
}
