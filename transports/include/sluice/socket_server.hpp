#pragma once

#include <sluice/address.hpp>
#include <sluice/descriptor.hpp>
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

  /// Serves on a socket that somebody else has made, bound and told to listen: it was inherited, passed or made by hand. The server's from
  /// now on, and closed with it; on an error it is closed at once. Files of Unix sockets are left alone. The socket becomes non-blocking,
  /// for whoever shares it too. Throws `std::system_error` that names the descriptor, or sets `error`: what is not a stream socket (EBADF,
  /// ENOTSOCK, EPROTOTYPE), one of another family (EAFNOSUPPORT), one that does not listen (EINVAL), and `errc::closed` if the loop is
  /// gone. Returns its address (rule S12).
  address adopt(descriptor listening);
  address adopt(descriptor listening, std::error_code& error);
  /// As `adopt`, by a duplicate: `listening` stays the caller's, and open, and clients reach it as long as anybody has it open.
  address share(int listening);
  address share(int listening, std::error_code& error);

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
