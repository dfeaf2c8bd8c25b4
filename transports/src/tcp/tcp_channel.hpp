#pragma once

#include <sluice/info.hpp>

#include <memory>
#include <utility>

#include "socket/portable_channel.hpp"
#include "socket/socket_channel.hpp"

namespace sluice::tcp {

// The channel over a TCP socket.
class channel final : public detail::socket_channel {
 public:
  channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options, const detail::shared_tally& tally)
      : socket_channel(owner, std::move(socket), peer, options, tally) {}

 private:
  void describe(info_query& query) const override {
    query.answer<transport_kind>([] { return transport_kind{"tcp"}; });
    socket_channel::describe(query);
  }
};

class portable_channel final : public detail::portable_channel {
 public:
  portable_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options,
                   const detail::shared_tally& tally)
      : detail::portable_channel(owner, medium::tcp, std::move(socket), peer, options, tally) {}

 private:
  void describe(info_query& query) const override {
    query.answer<transport_kind>([] { return transport_kind{"tcp"}; });
    detail::portable_channel::describe(query);
  }
};

inline std::unique_ptr<stream_transport> make_channel(loop& owner, descriptor socket, const address& peer,
                                                      const shared_stream_options& options, const detail::shared_tally& tally = {}) {
  if (owner.portable_streams()) return std::make_unique<portable_channel>(owner, std::move(socket), peer, options, tally);
  return std::make_unique<channel>(owner, std::move(socket), peer, options, tally);
}

}  // namespace sluice::tcp
