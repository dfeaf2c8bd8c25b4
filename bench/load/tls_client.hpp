#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>

namespace load {

/// TLS 1.3 on one non-blocking socket, as a client that asks for AES-256-GCM and takes any certificate.
class tls_session {
 public:
  virtual ~tls_session() = default;

  /// Goes on with the handshake; whether it is done.
  virtual bool shake_hands() = 0;
  /// Whether the handshake was a short one, by the ticket of an earlier connection.
  virtual bool was_resumed() const = 0;
  /// Whether the server has sent a ticket, which `receive` finds. None is taken any more after the goodbye.
  virtual bool has_ticket() const = 0;
  /// As recv and send: 0 at the end of the peer, and -1 with EAGAIN in errno where there is nothing to do now. Reads until `into` is full
  /// or there is no more.
  virtual ssize_t receive(std::span<std::byte> into) = 0;
  virtual ssize_t send(std::span<const std::byte> data) = 0;
  /// Whether bytes have come that `receive` did not return for want of room.
  virtual bool holds_more() const = 0;
  virtual void say_goodbye() = 0;
};

/// What the connections to one server share.
class tls_client {
 public:
  virtual ~tls_client() = default;

  /// From now on each connection comes back with the ticket of `earlier`, which has one. Servers that take no early data take it any
  /// number of times.
  virtual void resume(const tls_session& earlier) = 0;
  virtual std::unique_ptr<tls_session> open(int socket) = 0;
};

/// Throws std::runtime_error if this program was built without OpenSSL.
std::unique_ptr<tls_client> make_tls_client();

}  // namespace load
