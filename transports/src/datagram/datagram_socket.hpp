#pragma once

#include <sluice/datagram_transport.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/timer.hpp>

#include <cstdint>
#include <functional>
#include <system_error>

#include "datagram/message_batch.hpp"
#include "socket/socket_watch.hpp"

namespace sluice::detail {

// The channel over a bound or connected datagram socket of our own, watched by uv_poll. UDP and Unix sockets differ in what addresses they
// take.
class datagram_socket : public datagram_transport {
 public:
  // Begins to watch the socket; to be called once, before `start`.
  std::error_code prepare();
  int socket() const noexcept { return socket_.get(); }
  const address& local() const noexcept { return local_; }

 protected:
  struct setup {
    descriptor socket;
    address peer;                    // empty: not connected
    bool receives_from_all = false;  // only its output is bound to the peer: the socket is not connected
    bool tells_writable = true;      // polling tells when a refused send is worth another try
    std::size_t max_datagram = largest_datagram;
    datagram_options options;
    std::function<void()> at_close;  // after the descriptor is closed
  };
  datagram_socket(loop& owner, setup made);

  void describe(info_query& query) const override;

 private:
  void start_reading() override;
  void stop_reading() override {}  // a pause that ends before a datagram arrives costs no system call
  datagrams_sent send_batch(std::span<const outgoing_datagram> batch) override;
  datagrams_sent send_connected_anew(std::span<const outgoing_datagram> batch, std::size_t taken);
  void send_later() override;
  progress release() override;

  void ready(int status, int events);
  void read();
  bool read_failed(int error);
  void look_after_error();
  void try_again_soon();
  void watch_what_is_wanted();

  descriptor socket_;
  message_batch& batch_;
  address local_;
  bool receives_from_all_;
  bool tells_writable_;
  std::size_t max_datagram_;
  std::function<void()> at_close_;
  int watched_ = 0;
  std::chrono::milliseconds patience_;  // until a refused send is tried again
  socket_watch watch_;
  timer retry_;
};

}  // namespace sluice::detail
