#pragma once

#include <sluice/detail/compact_address.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/stream_transport.hpp>

#include <memory>
#include <new>
#include <utility>

#include "server/connection_tally.hpp"
#include "socket.hpp"

namespace sluice::detail {

using shared_tally = local_ptr<connection_tally>;

// What a channel over a connected socket knows of its two ends, and of the server that accepted it, in whichever way `Base` moves the bytes.
template <typename Base>
class socket_end : public Base {
 public:
  ~socket_end() override { leave_tally(); }

  bool is_counted_by(const connection_tally& tally) const noexcept { return tally_ && &*tally_ == &tally; }
  // Aborts it, or ends its lingering (rule C6). True if its protocol did not know yet that it ends.
  bool cut_off() {
    if (this->state() == connection_machine::state::lost) {
      this->failed(errc::aborted);
      return false;
    }
    const bool was_open = this->state() < connection_machine::state::finishing;
    this->abort();
    return was_open;
  }

 protected:
  // One of a server's connections, until its descriptor is given back, if `tally` is not null.
  template <typename... Below>
  socket_end(const address& peer, const shared_tally& tally, Below&&... below) : Base(std::forward<Below>(below)...), peer_(peer) {
    if (!tally) return;
    tally->enter(peer);
    tally_ = tally;
  }

  void leave_tally() noexcept {
    if (const auto left = std::move(tally_)) left->leave(peer_);
  }

  // The own address is not to be had any more once `socket` is closed (rule I2).
  void keep_local(int socket) const {
    if (local_ == nullptr) local(socket);
  }
  void describe_ends(info_query& query, int socket) const {
    query.answer<peer_address>([&] { return peer_address{peer_.expand()}; });
    query.answer<local_address>([&] { return local_address{local(socket)}; });
  }

 private:
  address local(int socket) const {
    if (local_ != nullptr) return local_->expand();
    const address now = socket >= 0 ? bound_address(socket) : address();
    try {
      local_ = std::make_unique<compact_address>(now);
    } catch (const std::bad_alloc&) {
      return now;  // after the end it is not known then
    }
    return now;
  }

  compact_address peer_;
  shared_tally tally_;
  mutable std::unique_ptr<compact_address> local_;
};

}  // namespace sluice::detail
