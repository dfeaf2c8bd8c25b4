#pragma once

#include <sluice/address.hpp>
#include <sluice/descriptor.hpp>

#include <functional>
#include <system_error>
#include <utility>

#include "socket/socket_watch.hpp"

namespace sluice::detail {

class stream_server;

// What a listening socket leaves behind when it is closed for good, such as the file of a Unix socket.
using at_socket_close = std::function<void()>;

// One socket of a server.
struct listener {
  stream_server& server;
  descriptor socket;
  address bound;
  at_socket_close at_close;
  bool listens = false;  // clients may come, and wait
  bool serves = false;   // they are accepted, unless that is held
  socket_watch watch = {};

  bool is_open() const noexcept { return socket.is_open(); }
  // `leave`: the socket lives on in another process.
  void close(bool leave) {
    watch.close();
    socket.close();
    const auto last = std::exchange(at_close, {});
    if (last && !leave) last();
  }
};

}  // namespace sluice::detail
