#pragma once

#include <sluice/address.hpp>
#include <sluice/descriptor.hpp>

#include <system_error>

namespace sluice::detail {

// Small pieces of the socket API; errors are of uv_category().

// Non-blocking and close-on-exec, of the address's family.
descriptor open_stream_socket(const address& family_of, std::error_code& error) noexcept;
descriptor open_datagram_socket(const address& family_of, std::error_code& error) noexcept;
// Another descriptor of the same socket, close-on-exec; not open, with errno set, if there is none to be had.
descriptor duplicate(int socket) noexcept;
std::error_code bind_socket(int socket, const address& to) noexcept;
// As above, for a socket that is to connect; port 0 is chosen when it does, so that sockets to different peers can share one.
std::error_code bind_outgoing(int socket, const address& from) noexcept;
std::error_code set_option(int socket, int level, int name, int value) noexcept;
// The next waiting connection and its peer; not open, with errno set, if there is none.
descriptor accept_socket(int listener, address& peer) noexcept;
// Empty if the system does not tell.
address bound_address(int socket) noexcept;
// The peer of a connected socket; an error if it is not connected.
std::error_code peer_of(int socket, address& peer) noexcept;
// Success also for a connection that is under way.
std::error_code begin_connect(int socket, const address& to) noexcept;
// The peer hears a reset and no end of output; elsewhere than on TCP it makes no difference.
void reset_on_close(int socket) noexcept;
// Takes the error that the socket has been waiting with; 0 if there is none.
int pending_error(int socket) noexcept;

}  // namespace sluice::detail
