#pragma once

#include <sluice/address.hpp>
#include <sluice/server.hpp>

#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

namespace sluice {

namespace detail {
class stream_server;
}

/// What the servers of all kinds of stream sockets have in common. A server may be destroyed before or after its loop, and before or after
/// its connections.
class socket_server : public server {
 public:
  ~socket_server() override;

  void start_serving() override;
  void start_serving(std::error_code& error) override;
  bool is_serving() const noexcept override;

  using server::close;
  void close(waiting_clients waiting) override;
  void close_clients() override;
  void abort_clients() override;
  void wait_closed(duration deadline, closed_handler done) override;

  void pause_accepting() override;
  void resume_accepting() override;
  std::uint8_t accept_holds() const noexcept override;

  std::vector<address> sockets() const override;
  std::vector<int> descriptors() const override;
  const server_counters& counters() const noexcept override;

 protected:
  explicit socket_server(std::unique_ptr<detail::stream_server> impl) noexcept;
  detail::stream_server& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<detail::stream_server> impl_;
};

}  // namespace sluice
