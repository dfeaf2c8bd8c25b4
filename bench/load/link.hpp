#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>

#include "target.hpp"
#include "tls_client.hpp"

namespace load {

/// A connection to a server, through TLS where the server has it: there the handshake is done. It does not block.
class link {
 public:
  link() = default;
  explicit link(target& server);

  const socket_handle& socket() const noexcept { return socket_; }

  /// At least one byte, or 0 if there is nothing now. Throws where the server ended the connection.
  std::size_t receive(std::span<std::byte> into);
  /// How many bytes were taken.
  std::size_t send(std::span<const std::byte> data);
  /// Whether `receive` has more at once, of which the socket knows nothing.
  bool holds_more() const { return tls_ != nullptr && tls_->holds_more(); }

  /// Waits for a ticket of TLS, with which all later connections to `server` come back.
  void take_ticket(target& server);

  /// Wait until all is sent, and until `into` is full.
  void send_all(std::span<const std::byte> data);
  void receive_all(std::span<std::byte> into);

 private:
  void wait_for(short events) const;

  socket_handle socket_;
  std::unique_ptr<tls_session> tls_;
};

}  // namespace load
