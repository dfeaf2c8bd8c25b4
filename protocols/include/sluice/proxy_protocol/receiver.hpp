#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/layer.hpp>
#include <sluice/network.hpp>
#include <sluice/proxy_protocol/header.hpp>
#include <sluice/proxy_protocol/header_decoder.hpp>
#include <sluice/timer.hpp>

namespace sluice::proxy_protocol {

/// What becomes of connections that come from no trusted proxy. Their bytes are never taken for a header: it would let anybody claim any
/// address.
enum class others : std::uint8_t {
  refuse,  ///< Closed at once.
  serve    ///< Served as what they are, connections without a header.
};

/// Told why a connection was not served: its `id()`, the code, and a line for a person that is valid for the call. What it throws goes to the
/// error hook.
using failure_handler = std::function<void(std::uint64_t transport, std::error_code error, std::string_view detail)>;

struct receiver_options {
  /// Whose headers are believed; each connection from there must begin with one.
  std::vector<network> trusted = {};
  /// Peers that have no IP address are trusted, too: Unix sockets, whose file says who may connect, and links in memory.
  bool trust_without_ip = false;
  /// What becomes of everybody else.
  proxy_protocol::others others = proxy_protocol::others::refuse;
  /// How long the header may take; above 0.
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
  header_limits limits = {};
  failure_handler on_failure = {};
};

/// The server's end, between a transport and a protocol: takes the header off before the protocol, or TLS, sees the first byte. The protocol
/// above hears of the connection when the header is there, and then finds the client's address by `info<peer_address>()`, all of the header
/// by `info<header>()` and the proxy's own address by `info<proxy_address>()`.
///
///     tcp::server server(loop, proxy_protocol::receive(loop, wrap<tls::layer>(loop, factory, context), options));
class receiver final : public layer {
 public:
  /// Made by `receive`, which checks the options.
  receiver(sluice::scheduler& owner, protocol_ptr upper, std::shared_ptr<const receiver_options> options);
  ~receiver() override;

 private:
  void connection_made(transport& below) override;
  void data_received(const_bytes data) override;
  eof eof_received() override;
  void connection_lost(std::error_code reason) override;
  void describe(info_query& query) const override;

  void begin();
  void take_header(const_bytes data);
  void pass(const_bytes behind_header);
  bool comes_from_proxy() const;
  void give_up(std::error_code error, close_kind how);
  void tell_failure(std::error_code error) noexcept;
  std::string describe_failure(std::error_code error) const;

  std::shared_ptr<const receiver_options> options_;
  header_decoder decoder_;
  std::string bytes_;  // the header as it came, from its first byte on
  timer deadline_;
  bool was_paused_ = false;  // below, before the header
  bool told_ = false;        // why it failed
};

/// A factory that puts a `receiver` in front of what `upper` makes. Throws `std::invalid_argument` for options that make no sense: nobody is
/// trusted, no time, too low a limit.
protocol_factory receive(scheduler& owner, protocol_factory upper, receiver_options options);

}  // namespace sluice::proxy_protocol
