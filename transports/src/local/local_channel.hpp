#pragma once

#include <sluice/info.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "socket/portable_channel.hpp"
#include "socket/socket_channel.hpp"

namespace sluice::local {

// The channel over a Unix socket. Knows who the peer is and passes descriptors.
class channel final : public detail::socket_channel {
 public:
  // `receive_descriptors` as in `options`.
  channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options, std::size_t receive_descriptors,
          const detail::shared_tally& tally);
  ~channel() override;

  // Null if `which` is a transport of another kind.
  static channel* of(transport& which) noexcept;

  std::error_code send_descriptors(std::span<descriptor> passed, const_bytes data);
  descriptor take_descriptor() noexcept;

 private:
  struct passing;

  void start_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  std::size_t queued_beside_bytes() const noexcept override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  void describe(info_query& query) const override;
  ssize_t receive(mutable_bytes room) override;
  uv_poll_cb on_event() const noexcept override;

  send_result send_in_order(std::span<const const_bytes> parts);
  send_result send_with_descriptors(std::span<const const_bytes> parts, std::size_t descriptors);
  bool keep_received(const msghdr& message) noexcept;
  void close_received() noexcept;

  std::optional<peer_credentials> credentials_;
  std::unique_ptr<passing> passing_;  // made for the first descriptor that is sent, or at once where they are received
};

// Passes no descriptors.
class portable_channel final : public detail::portable_channel {
 public:
  portable_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options,
                   const detail::shared_tally& tally);

 private:
  void describe(info_query& query) const override;

  std::optional<peer_credentials> credentials_;
};

std::unique_ptr<stream_transport> make_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options,
                                               std::size_t receive_descriptors, const detail::shared_tally& tally = {});

}  // namespace sluice::local
