#pragma once

#include <sluice/detail/local_ptr.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/loop.hpp>
#include <sluice/network.hpp>
#include <sluice/server.hpp>
#include <sluice/timer.hpp>

#include <functional>
#include <memory>
#include <system_error>
#include <vector>

#include "closing_waits.hpp"
#include "connection_tally.hpp"
#include "socket/socket_end.hpp"
#include "listener.hpp"

namespace sluice::detail {

constexpr int most_accepts_per_event = 64;    // bounded, so that a storm of connections does not starve those that exist (rule S9)
constexpr int most_accepts_at_close = 65536;  // more than any backlog holds

// Accepting, for every kind of stream socket; what differs is how a listening socket is made and what channel a connection gets.
class stream_server : private resource, private closing_waits::subject {
 public:
  using channel_factory =
      std::function<std::unique_ptr<stream_transport>(descriptor socket, const address& peer, const shared_tally& tally)>;

  // What somebody else's socket has to be to be adopted.
  struct kind {
    const char* name;  // for errors: "TCP"
    bool (*is_of_kind)(const address& own);
    void (*tune)(int socket) = nullptr;  // what options ask for that accepted connections inherit
  };

  // As in the options of the servers.
  struct settings {
    kind adopted;
    int backlog = 100;
    bool start_serving = true;
    std::size_t max_connections = 0;
    std::size_t max_connections_per_peer = 0;
    std::vector<network> allow = {};
    std::vector<network> deny = {};
  };

  stream_server(loop& owner, protocol_factory factory, channel_factory channels, settings wanted);
  ~stream_server() override;

  // Closes it, and destroys it once no accept is running, which user code may be inside of.
  static void dispose(std::unique_ptr<stream_server> server);

  // Takes over a bound socket, and listens on it unless that is for start_serving() to do.
  std::error_code add_bound(descriptor socket, at_socket_close at_close = {});
  // What a predecessor has bound to `at` and left to us (`hand_over`); not open if there is none. For `add_bound`.
  descriptor inherited(const address& at);
  // Takes over a socket that listens already, whoever made it.
  std::error_code adopt(descriptor socket);
  const char* kind_name() const noexcept { return settings_.adopted.name; }
  // On an error `at` is the address that it is about.
  std::error_code start_serving(address& at);
  bool is_serving() const noexcept;

  void close(waiting_clients waiting);
  // Closes the sockets that were added after the first `kept`, as if they had never been.
  void close_behind(std::size_t kept);
  std::size_t socket_count() const noexcept { return listeners_.size(); }
  void close_clients();
  void abort_clients();
  void wait_closed(duration deadline, closed_handler done);

  void hold_accepting(accept_hold why) noexcept;
  void release_accepting(accept_hold why) noexcept;
  std::uint8_t accept_holds() const noexcept { return holds_; }

  std::vector<address> sockets() const;
  std::vector<int> descriptors() const;
  const server_counters& counters() const noexcept {
    counters_.connections = tally_->open();
    return counters_;
  }

  // A connection of this server has given its descriptor back.
  void connection_left() noexcept;

 private:
  void scheduler_ends() noexcept override;
  void shut_down() override { close(waiting_clients::accept); }
  void memory_short(bool is_short) override {
    is_short ? hold_accepting(accept_hold::memory_budget) : release_accepting(accept_hold::memory_budget);
  }
  bool is_over() const noexcept override;
  std::size_t cut_off() override;

  listener& add(descriptor socket, at_socket_close at_close);
  std::error_code serve(listener& added);
  std::error_code undo(std::error_code error);
  void stop_listening(bool leave);

  template <typename Visit>
  void for_each_connection(Visit visit);

  bool is_held(accept_hold why) const noexcept { return (holds_ & static_cast<std::uint8_t>(why)) != 0; }
  // False: user code has disposed of this server, which is gone.
  bool accept_some(listener& from, int most);
  // False: nothing more to accept now.
  bool accept_one(listener& from);
  bool refuses(const address& peer) noexcept;
  void make_connection(descriptor socket, const address& peer);
  bool accept_failed(int error);

  void run_short(int error);
  void retry();
  void turn_away(listener& from);

  loop& loop_;
  protocol_factory factory_;
  channel_factory channels_;
  settings settings_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::unique_ptr<stream_server> self_;            // disposed of while it accepts: goes when that ends
  std::vector<std::unique_ptr<listener>> closed_;  // kept until no accept is running any more
  shared_tally tally_;
  closing_waits waits_;
  descriptor spare_;  // given up for a moment to turn a client away when there is no other descriptor
  timer retry_;
  time_point short_until_{};  // an episode of shortage that was reported goes on until then
  mutable server_counters counters_;
  const bool refuses_some_;     // a client has to be looked at before it is let in
  std::uint8_t holds_ = 0;      // of accept_hold
  bool starts_serving_ = true;  // new sockets listen at once
  bool is_closed_ = false;
  bool accepting_ = false;  // user code may run: nothing that accepting needs is destroyed
  bool retrying_ = false;   // clients have waited for a while: those that cannot be served are turned away
};

}  // namespace sluice::detail
