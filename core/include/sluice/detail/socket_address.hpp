#pragma once

#include <sluice/address.hpp>

#include <sys/socket.h>

namespace sluice::detail {

/// What `accept`, `recvmsg`, `getsockname` or `getpeername` filled in, `length` being what they said and not the size of the buffer. Empty
/// for a null pointer, a length of 0, a length too short for the family, and for families that `address` does not know. Never allocates.
address from_sockaddr(const sockaddr* from, socklen_t length) noexcept;

/// Fills `to` for `bind`, `connect` or `sendmsg` and returns the length to give them, which for abstract names is exact (rule P6 of
/// docs/contract.md); 0 for an empty address. Only the bytes within that length are written.
socklen_t to_sockaddr(const address& from, sockaddr_storage& to) noexcept;

}  // namespace sluice::detail
