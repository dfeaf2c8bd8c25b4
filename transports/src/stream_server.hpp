#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/loop.hpp>
#include <sluice/server.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/timer.hpp>

#include <functional>
#include <memory>
#include <system_error>
#include <vector>

#include "socket_watch.hpp"

namespace sluice::detail {

// Accepting, for every kind of stream socket; what differs is how a listening socket is made and what channel a connection gets.
class stream_server : private resource {
 public:
  using channel_factory = std::function<std::unique_ptr<stream_transport>(descriptor socket, const address& peer)>;

  stream_server(loop& owner, protocol_factory factory, channel_factory channels);
  ~stream_server() override;

  // Closes it, and destroys it once no accept is running, which user code may be inside of.
  static void dispose(std::unique_ptr<stream_server> server);

  // Takes over a bound socket. `at_close` runs when it stops listening.
  std::error_code listen(descriptor socket, int backlog, std::function<void()> at_close = {});
  void close();
  bool is_serving() const noexcept { return !listeners_.empty(); }
  std::vector<address> sockets() const;
  const server_counters& counters() const noexcept { return counters_; }

 private:
  struct listener;

  void scheduler_ends() noexcept override;
  void stop_listening();
  // False: nothing more to accept now.
  bool accept_one(listener& from);
  void accept_some(listener& from, int most);
  bool accept_failed(int error);
  void make_connection(descriptor socket, const address& peer);
  void pause_accepting(int error);
  void resume_accepting();

  loop& loop_;
  protocol_factory factory_;
  channel_factory channels_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::vector<std::unique_ptr<listener>> closed_;  // kept until no accept is running any more
  timer retry_;
  server_counters counters_;
  bool out_of_resources_ = false;  // an episode that was reported goes on
  bool accepting_ = false;         // user code may run: nothing that accepting needs is destroyed
};

}  // namespace sluice::detail
