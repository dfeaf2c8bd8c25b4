#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/detail/compact_address.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/loop.hpp>
#include <sluice/stream_transport.hpp>

#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#include <memory>

#include "connection_tally.hpp"

namespace sluice::detail {

// The channel over a connected, non-blocking socket of our own, watched by uv_poll. TCP and Unix sockets differ from it in what they know
// of themselves.
class descriptor_channel : public stream_transport {
 public:
  ~descriptor_channel() override;

  bool can_write_eof() const override { return true; }

  // Makes it one of a server's connections, until its descriptor is given back. May throw std::bad_alloc.
  void count_in(const local_ptr<connection_tally>& tally, const address& peer);
  bool is_counted_by(const connection_tally& tally) const noexcept { return tally_ && &*tally_ == &tally; }
  // Aborts it, or ends its lingering (rule C6). True if its protocol did not know yet that it ends.
  bool cut_off();

 protected:
  descriptor_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options);

  int socket() const noexcept { return socket_.get(); }
  // Sends `parts` with what else `message` holds.
  send_result send_message(std::span<const const_bytes> parts, msghdr message) const noexcept;
  // What comes with the bytes is wanted, too: `receive` is overridden, and asked for each read. To be called by the constructor.
  void read_by_receive() noexcept { reads_by_receive_ = true; }
  // One read, with the result and errno of `recv`.
  virtual ssize_t receive(mutable_bytes room);

  void start_reading() override;
  send_result send(std::span<const const_bytes> parts) override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  void describe(info_query& query) const override;

 private:
  void stop_reading() override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  std::error_code shutdown_output() override;
  bool lingers() const override { return true; }

  static void on_poll(uv_poll_t* handle, int status, int events);
  static void on_poll_to_receive(uv_poll_t* handle, int status, int events);
  void read_first();
  void ready(int status, int events);
  void read_more();
  void read_to_the_end();
  enum class read_outcome {
    filled,
    some,
    nothing,
    ended
  };
  read_outcome read_once();
  read_outcome read_nothing(ssize_t result);
  void watch(int events);
  void watch_what_is_wanted();
  void tell_hangup();
  void look_after_hangup();
  bool failed_by_socket_error();
  void leave_tally() noexcept;
  address local() const;

  descriptor socket_;
  std::uint8_t watched_ = 0;      // events that uv_poll was asked for
  bool polls_ : 1 = false;        // poll_ is initialized
  bool hangup_told_ : 1 = false;  // the peer's end was noticed in this pause
  bool hung_up_ : 1 = false;      // both directions are shut: only reading can bring news
  bool reads_by_receive_ : 1 = false;
  compact_address peer_;
  local_ptr<connection_tally> tally_;  // of the server that accepted it, if one did
  mutable std::unique_ptr<compact_address> local_;
  uv_poll_t poll_;
};

}  // namespace sluice::detail
