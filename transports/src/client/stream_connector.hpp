#pragma once

#include <sluice/connecting.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/happy_eyeballs_machine.hpp>
#include <sluice/loop.hpp>
#include <sluice/resolver.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "socket/socket_attempt.hpp"

namespace sluice::detail {

// Connecting, for every kind of stream socket: to one address, or to the addresses of a name as `happy_eyeballs_machine` says.
class stream_connector final : public connecting::attempt, private resource, private socket_attempt::listener {
 public:
  using channel_factory = std::function<std::unique_ptr<stream_transport>(descriptor socket, const address& peer)>;

  struct request {
    std::string target;  // what the user asked for, in words
    protocol_factory factory;
    channel_factory channels;
    connect_handler done;
    std::chrono::milliseconds timeout;
    address local = {};  // empty: any
    std::chrono::milliseconds attempt_delay = {};
    connect_observer observer = {};
  };

  struct name_request {
    resolver& names;
    std::string_view host;
    ip_family family;
    std::uint16_t port;           // of addresses that have none
    unsigned first_family_count;  // see interleave_families
  };

  // To be followed by one of the three below, none of which calls back.
  stream_connector(loop& owner, request wanted);
  ~stream_connector() override;

  void connect_to(const address& to);
  void connect_to(const name_request& name);
  // Fails with `why`, or with the message of `error`.
  void refuse(std::error_code error, std::string why = {});

  bool in_progress() const noexcept override { return in_progress_; }
  void detach(std::unique_ptr<connecting::attempt> self) noexcept override;

 private:
  using action = happy_eyeballs_machine::action;

  template <typename Step>
  void run(const Step& step);
  void scheduler_ends() noexcept override;
  void shut_down() override;
  void attempt_ended(socket_attempt& ended, std::error_code error) override;
  void resolved(const result<std::vector<address>>& found, std::uint16_t port, unsigned first_family_count);
  bool is_candidate(const address& to) const noexcept;
  void perform(action then);
  void begin_next();
  void attempt_failed(const socket_attempt& ended, std::error_code error);
  void time_is_over();
  connect_attempt record_of(const socket_attempt& ended, std::error_code error) const;
  bool tell(const std::vector<connect_attempt>& ended);

  void succeed(socket_attempt& winner);
  result<transport&> make_connection(const request& wanted, descriptor socket, const address& peer, const bool& destroyed);
  void fail();
  void finish(const result<transport&>& outcome, const connect_handler& done);
  void let_go() noexcept;

  loop& loop_;
  request request_;
  happy_eyeballs_machine machine_;
  time_point began_;
  resolver::query query_;
  std::vector<address> addresses_;  // in the order in which they are tried
  std::vector<std::unique_ptr<socket_attempt>> under_way_;
  std::vector<connect_attempt> failed_;
  timer deadline_;         // of the whole; or of the next turn, where there is an error to tell
  timer delay_;            // of the next attempt
  std::error_code error_;  // that ends the whole, where the attempts alone do not say it
  std::string why_;
  bool in_progress_ = true;
  bool* destroyed_ = nullptr;                  // set by the destructor, where somebody has to know
  std::unique_ptr<connecting::attempt> self_;  // when nobody else owns it
};

}  // namespace sluice::detail
