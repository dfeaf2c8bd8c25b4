#pragma once

#include <sluice/address.hpp>
#include <sluice/detail/compact_address.hpp>

#include <cstddef>
#include <optional>

#include "peer_table.hpp"

namespace sluice::detail {

class stream_server;

// The connections of one server that have not given back their descriptors (rule C6). Shared by the server and its connections, of which
// either may go first. That one pointer is all that a connection pays for being known.
class connection_tally {
 public:
  // `most_per_peer` 0: no limit.
  connection_tally(stream_server& server, std::size_t most_per_peer) : server_(&server), most_per_peer_(most_per_peer) {
    if (most_per_peer != 0) peers_.emplace();
  }

  std::size_t open() const noexcept { return open_; }
  bool may_enter(const address& peer) const noexcept { return !peers_ || peers_->count(peer) < most_per_peer_; }

  // May throw std::bad_alloc and has done nothing then.
  void enter(const address& peer) {
    if (peers_) peers_->add(peer);
    ++open_;
  }
  void leave(const compact_address& peer) noexcept;
  void server_gone() noexcept { server_ = nullptr; }

 private:
  stream_server* server_;
  std::size_t most_per_peer_;
  std::size_t open_ = 0;
  std::optional<peer_table> peers_;  // only if there is a limit
};

}  // namespace sluice::detail
