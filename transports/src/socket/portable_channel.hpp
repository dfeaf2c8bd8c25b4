#pragma once

#include <sluice/deferred_call.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>

#include <uv.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "socket_end.hpp"

namespace sluice::detail {

// The channel over a connected socket that libuv reads and writes, for systems without poll (`loop_options::portable_streams`).
class portable_channel : public socket_end<stream_transport> {
 public:
  ~portable_channel() override;

  bool can_write_eof() const override { return true; }

 protected:
  enum class medium : std::uint8_t {
    tcp,
    unix_socket
  };
  portable_channel(loop& owner, medium kind, descriptor socket, const address& peer, const shared_stream_options& options,
                   const shared_tally& tally);

  int socket() const noexcept { return socket_; }
  void describe(info_query& query) const override;

 private:
  union any_stream {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };

  void start_reading() override;
  void stop_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  std::error_code shutdown_output() override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  bool lingers() const override { return true; }

  void open();
  void hold(const_bytes first) noexcept;
  void sent_held(int status);
  uv_buf_t make_room();
  void came(ssize_t n);
  static portable_channel& of(void* data) noexcept { return *static_cast<portable_channel*>(data); }

  int socket_;  // -1 once it was given back
  medium kind_;
  bool is_open_ = false;     // libuv has the socket
  bool makes_room_ = false;  // for the next read
  bool is_sending_ = false;  // held_ is on its way
  int send_error_ = 0;       // what became of held_, for the next `send` to tell
  deferred_call next_turn_;  // to send more
  any_stream handle_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;
  // The first bytes that the system refused, with which libuv waits until it takes them. A copy, as the engine may drop its queue meanwhile.
  std::array<std::byte, 256> held_;
  std::size_t held_size_ = 0;
};

}  // namespace sluice::detail
