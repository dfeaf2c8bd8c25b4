#pragma once

#include "datagram/datagram_socket.hpp"

namespace sluice::udp {

class channel final : public sluice::detail::datagram_socket {
 public:
  channel(loop& owner, setup made, bool is_v6, bool ipv6_only)
      : datagram_socket(owner, std::move(made)), is_v6_(is_v6), ipv6_only_(ipv6_only) {}
  using datagram_socket::setup;

  bool is_v6() const noexcept { return is_v6_; }

 private:
  bool can_send_to(const address& to) const noexcept override;
  void describe(info_query& query) const override;

  bool is_v6_;
  bool ipv6_only_;
};

}  // namespace sluice::udp
