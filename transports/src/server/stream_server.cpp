#include "stream_server.hpp"

#include <sluice/error.hpp>

#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include "socket/adopt.hpp"
#include "socket/inherited_sockets.hpp"
#include "socket/portable_channel.hpp"
#include "socket/socket.hpp"
#include "socket/socket_channel.hpp"

// The sockets and connections of a server, and its end; stream_accepting.cpp has what happens on a listening socket.

namespace sluice::detail {

namespace {

constexpr int most_backlog = 65535;

}  // namespace

void connection_tally::leave(const compact_address& peer) noexcept {
  if (peers_) peers_->remove(peer.expand());
  --open_;
  if (server_ != nullptr) server_->connection_left();
}

stream_server::stream_server(loop& owner, protocol_factory factory, channel_factory channels, settings wanted)
    : resource(owner),
      loop_(owner),
      factory_(std::move(factory)),
      channels_(std::move(channels)),
      settings_(std::move(wanted)),
      tally_(shared_tally::make(*this, settings_.max_connections_per_peer)),
      waits_(owner, *this),
      retry_(owner, [this] { retry(); }),
      refuses_some_(settings_.max_connections_per_peer != 0 || !settings_.allow.empty() || !settings_.deny.empty()),
      starts_serving_(settings_.start_serving) {
  if (settings_.backlog < 1 || settings_.backlog > most_backlog)
    throw std::invalid_argument("sluice: backlog is " + std::to_string(settings_.backlog) + "; expected a number from 1 to " +
                                std::to_string(most_backlog));
  if (!scheduler_ended()) memory_short(owner.memory_is_short());
}

stream_server::~stream_server() {
  stop_listening(false);
  tally_->server_gone();
}

void stream_server::dispose(std::unique_ptr<stream_server> server) {
  server->close(waiting_clients::accept);
  server->waits_.drop();
  stream_server& disposed = *server;
  if (disposed.accepting_) disposed.self_ = std::move(server);
}

std::error_code stream_server::add_bound(descriptor socket, at_socket_close at_close) {
  if (scheduler_ended()) return errc::closed;
  listener& added = add(std::move(socket), std::move(at_close));
  return starts_serving_ ? undo(serve(added)) : std::error_code();
}

descriptor stream_server::inherited(const address& at) { return scheduler_ended() ? descriptor() : inherited_sockets::of(loop_).take(at); }

std::error_code stream_server::adopt(descriptor socket) {
  if (scheduler_ended()) return errc::closed;
  if (const auto error = prepare_listening(socket.get(), settings_.adopted.is_of_kind)) return error;
  if (settings_.adopted.tune != nullptr) settings_.adopted.tune(socket.get());
  listener& added = add(std::move(socket), {});
  added.listens = true;
  return starts_serving_ ? undo(serve(added)) : std::error_code();
}

listener& stream_server::add(descriptor socket, at_socket_close at_close) {
  is_closed_ = false;
  closed_.reserve(closed_.size() + listeners_.size() + 1);  // so that closing them all needs no memory
  const address bound = bound_address(socket.get());
  if (!spare_.is_open()) spare_ = duplicate(socket.get());
  listeners_.push_back(std::unique_ptr<listener>(new listener{*this, std::move(socket), bound, std::move(at_close)}));
  return *listeners_.back();
}

std::error_code stream_server::serve(listener& added) {
  if (!added.listens && ::listen(added.socket.get(), settings_.backlog) != 0) return system_error(errno);
  const auto on_event = [](void* owner, int, int) {
    auto& from = *static_cast<listener*>(owner);
    from.server.accept_some(from, most_accepts_per_event);
  };
  const auto error = added.watch.start(loop_, added.socket.get(), UV_READABLE, on_event, &added);
  if (!error && holds_ != 0) added.watch.pause();
  added.listens = true;
  added.serves = !error;
  return error;
}

std::error_code stream_server::undo(std::error_code error) {
  if (error) close_behind(listeners_.size() - 1);
  return error;
}

void stream_server::close_behind(std::size_t kept) {
  for (; listeners_.size() > kept; listeners_.pop_back()) listeners_.back()->close(false);
  if (listeners_.empty()) spare_.close();
}

std::error_code stream_server::start_serving(address& at) {
  starts_serving_ = true;
  for (const auto& each : listeners_) {
    if (each->serves) continue;
    const std::error_code error = serve(*each);
    if (!error) continue;
    at = each->bound;
    close(waiting_clients::refuse);
    return error;
  }
  return {};
}

bool stream_server::is_serving() const noexcept {
  for (const auto& each : listeners_)
    if (each->serves) return true;
  return false;
}

// Clients that the system has already accepted for us are served, unless we are in the middle of accepting one (rules S2, L16).
void stream_server::close(waiting_clients waiting) {
  if (waiting == waiting_clients::accept && !accepting_)
    for (std::size_t i = 0; i < listeners_.size(); ++i)
      if (!accept_some(*listeners_[i], most_accepts_at_close)) return;
  stop_listening(waiting == waiting_clients::leave);
}

void stream_server::stop_listening(bool leave) {
  is_closed_ = true;
  retry_.stop();
  release_accepting(accept_hold::shortage);
  spare_.close();
  for (auto& each : std::exchange(listeners_, {})) {
    each->close(leave);
    closed_.push_back(std::move(each));
  }
  if (!accepting_) closed_.clear();
  waits_.look();
}

void stream_server::scheduler_ends() noexcept {
  waits_.drop();
  stop_listening(false);
}

template <typename Visit>
void stream_server::for_each_connection(Visit visit) {
  if (scheduler_ended()) return;
  loop_.for_each_transport([&](transport& each) {
    const auto visit_ours = [&](auto* found) {
      if (found != nullptr && found->is_counted_by(*tally_)) visit(*found);
    };
    visit_ours(dynamic_cast<socket_channel*>(&each));
    visit_ours(dynamic_cast<portable_channel*>(&each));
  });
}

void stream_server::close_clients() {
  for_each_connection([](auto& each) { each.shut_down(); });
}

void stream_server::abort_clients() {
  for_each_connection([](auto& each) { each.abort(); });
}

void stream_server::wait_closed(duration deadline, closed_handler done) {
  if (!scheduler_ended()) waits_.add(deadline, std::move(done));
}

bool stream_server::is_over() const noexcept { return is_closed_ && tally_->open() == 0; }

std::size_t stream_server::cut_off() {
  std::size_t aborted = 0;
  close(waiting_clients::refuse);
  for_each_connection([&](auto& each) { aborted += each.cut_off() ? 1U : 0U; });
  return aborted;
}

void stream_server::connection_left() noexcept {
  if (holds_ == 0 && !is_closed_) [[likely]]
    return;
  if (scheduler_ended()) return;
  release_accepting(accept_hold::connection_limit);
  release_accepting(accept_hold::shortage);  // there is a descriptor now
  waits_.look();
}

void stream_server::hold_accepting(accept_hold why) noexcept {
  if (holds_ == 0)
    for (const auto& each : listeners_) each->watch.pause();
  holds_ = static_cast<std::uint8_t>(holds_ | static_cast<unsigned>(why));
}

void stream_server::release_accepting(accept_hold why) noexcept {
  if (!is_held(why)) return;
  holds_ = static_cast<std::uint8_t>(holds_ & ~static_cast<unsigned>(why));
  if (holds_ == 0)
    for (const auto& each : listeners_) each->watch.resume();
}

std::vector<address> stream_server::sockets() const {
  std::vector<address> result;
  for (const auto& each : listeners_) result.push_back(each->bound);
  return result;
}

std::vector<int> stream_server::descriptors() const {
  std::vector<int> result;
  for (const auto& each : listeners_) result.push_back(each->socket.get());
  return result;
}

}  // namespace sluice::detail
