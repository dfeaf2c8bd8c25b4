#pragma once

#include <sys/socket.h>

#include "descriptor/descriptor_channel.hpp"
#include "socket_end.hpp"

namespace sluice::detail {

// The channel over a connected socket. TCP and Unix sockets differ from it in what they know of themselves.
class socket_channel : public socket_end<descriptor_channel> {
 public:
  bool can_write_eof() const override { return true; }

 protected:
  socket_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options, const shared_tally& tally);

  int socket() const noexcept { return number(); }
  // Sends `parts` with what else `message` holds.
  send_result send_message(std::span<const const_bytes> parts, msghdr message) const noexcept;
  // The shortest way to the bytes, past `receive`: where what comes with them is wanted, too, the base's is.
  uv_poll_cb on_event() const noexcept override { return &socket_channel::on_poll_to_read; }

  ssize_t receive(mutable_bytes room) override;
  send_result send(std::span<const const_bytes> parts) override;
  send_result send_from_file(int file, std::uint64_t offset, std::size_t most) override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  void describe(info_query& query) const override;

 private:
  std::error_code shutdown_output() override;
  bool lingers() const override { return true; }
  void broken() override;
  bool failed_by_error() override;
  bool is_at_end() override;
  bool take_urgent() override;

  static void on_poll_to_read(uv_poll_t* handle, int status, int events);
  void read_first();
};

}  // namespace sluice::detail
