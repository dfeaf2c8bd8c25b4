#pragma once

#include <sluice/address.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/stream_transport.hpp>

#include <functional>
#include <memory>
#include <system_error>

namespace sluice::detail {

// Makes a transport of a connected socket that somebody else made, for every kind of stream socket.
struct adoption {
  const char* expected;  // for the error: "a connected TCP socket"
  bool (*is_of_kind)(const address& own);
  std::function<std::unique_ptr<stream_transport>(descriptor socket, const address& peer)> channels;
};
result<transport&> adopt(descriptor socket, const adoption& by, protocol_ptr upper);

// Makes a listening socket that somebody else made as the library's own are. Errors as `socket_server::adopt` has them.
std::error_code prepare_listening(int socket, bool (*is_of_kind)(const address& own));

}  // namespace sluice::detail
