// The code of docs/proxy-protocol.md.

#include <sluice/info.hpp>
#include <sluice/proxy_protocol/receiver.hpp>
#include <sluice/proxy_protocol/sender.hpp>
#include <sluice/tcp.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

std::unique_ptr<sluice::server> behind_a_proxy(sluice::loop& loop, sluice::protocol_factory factory) {
  sluice::proxy_protocol::receiver_options options;
  options.trusted = {sluice::network::parse("10.0.0.0/8")};
  options.on_failure = [](std::uint64_t, std::error_code, std::string_view detail) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(detail.size()), detail.data());
  };
  auto server = std::make_unique<sluice::tcp::server>(loop, sluice::proxy_protocol::receive(loop, std::move(factory), std::move(options)));
  server->listen({"127.0.0.1", 7000});
  return server;
}

void greet(const sluice::transport& connection) {
  const auto header = connection.info<sluice::proxy_protocol::header>();
  if (!header) return;  // a connection that came without one
  if (const auto name = header->tlvs.find(sluice::proxy_protocol::tlv_type::authority))
    std::printf("asked for %s\n", std::string(sluice::as_text(*name)).c_str());
  const auto proxy = connection.info<sluice::proxy_protocol::proxy_address>();
  std::printf("%s by way of %s\n", header->source.to_string().c_str(), proxy->value.to_string().c_str());
}

sluice::connecting onward(sluice::loop& loop, const sluice::transport& accepted, sluice::protocol_factory factory) {
  std::string header;
  write_header(header, sluice::proxy_protocol::header_of_client(accepted));
  return sluice::tcp::connect(loop, {"10.0.0.9", 7000}, sluice::wrap<sluice::proxy_protocol::sender>(loop, std::move(factory), header));
}
