#pragma once

#include <sluice/connecting.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/loop.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/timer.hpp>

#include <chrono>
#include <functional>
#include <memory>

#include "socket_watch.hpp"

namespace sluice::detail {

// One attempt to connect to one address, for every kind of stream socket.
class stream_connector final : public connecting::attempt, private resource {
 public:
  using channel_factory = std::function<std::unique_ptr<stream_transport>(descriptor socket, const address& peer)>;

  struct request {
    address to;
    protocol_factory factory;
    channel_factory channels;
    connect_handler done;
    std::chrono::milliseconds timeout;
    std::error_code refused;  // of a request that is wrong in itself
  };

  stream_connector(loop& owner, request wanted);
  ~stream_connector() override;

  bool in_progress() const noexcept override { return in_progress_; }
  void detach(std::unique_ptr<connecting::attempt> self) noexcept override;

 private:
  void scheduler_ends() noexcept override;
  void begin();
  void writable();
  void step();
  void fail(std::error_code error);
  void succeed();
  result<transport&> make_connection(const request& wanted, const bool& destroyed);
  void finish(const result<transport&>& outcome, const connect_handler& done);

  loop& loop_;
  request request_;
  descriptor socket_;
  socket_watch watch_;
  timer timer_;  // first for an error of begin(), which is told in a later turn; then for the timeout
  std::error_code error_;
  bool in_progress_ = true;
  bool* destroyed_ = nullptr;                  // set by the destructor, where somebody has to know
  std::unique_ptr<connecting::attempt> self_;  // when nobody else owns it
};

}  // namespace sluice::detail
