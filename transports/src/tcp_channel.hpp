#pragma once

#include <sluice/info.hpp>

#include <utility>

#include "descriptor_channel.hpp"

namespace sluice::tcp {

// The channel over a TCP socket.
class channel final : public detail::descriptor_channel {
 public:
  channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options)
      : descriptor_channel(owner, std::move(socket), peer, options) {}

 private:
  void describe(info_query& query) const override {
    query.answer<transport_kind>([] { return transport_kind{"tcp"}; });
    descriptor_channel::describe(query);
  }
};

}  // namespace sluice::tcp
