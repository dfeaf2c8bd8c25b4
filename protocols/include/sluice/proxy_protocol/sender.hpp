#pragma once

#include <string>
#include <system_error>

#include <sluice/layer.hpp>
#include <sluice/proxy_protocol/header.hpp>

namespace sluice::proxy_protocol {

/// The client's end, between a transport and a protocol: sends a header before the protocol's first byte, or TLS's, and in the same send if
/// that comes in the same turn. A proxy gives it what it knows of its client, each connection its own:
///
///     std::string header;
///     write_header(header, header_of_client(accepted));
///     auto attempt = tcp::connect(loop, server, wrap<proxy_protocol::sender>(loop, factory, header));
class sender final : public layer {
 public:
  /// Sends `header`, as `write_header` made it.
  sender(sluice::scheduler& owner, protocol_ptr upper, std::string header);
  /// Sends the addresses of the connection itself: this end is the source.
  sender(sluice::scheduler& owner, protocol_ptr upper, version format);

 private:
  void connection_made(transport& below) override;
  std::error_code complete(const transport& below) noexcept;

  std::string header_;
  version format_ = version::v2;
};

}  // namespace sluice::proxy_protocol
