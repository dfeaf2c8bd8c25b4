#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <cerrno>
#include <new>
#include <utility>

#include "socket/socket.hpp"
#include "stream_server.hpp"

namespace sluice::detail {
namespace {

constexpr int most_turned_away_at_once = 1024;
constexpr auto retry_after = std::chrono::seconds(1);
constexpr auto episode_gap = std::chrono::seconds(10);  // a shortage that comes back within this time is the same one

bool is_want_of_descriptors(int error) noexcept { return error == EMFILE || error == ENFILE; }

// Of one connection that went wrong before we had it, or of its network; the next one may be well (rule S11).
bool concerns_one_client(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case ECONNRESET:
    case EINTR:
    case EPROTO:
    case EPERM:  // a firewall's
    case ETIMEDOUT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP: return true;
    default: return false;
  }
}

}  // namespace

bool stream_server::accept_some(listener& from, int most) {
  accepting_ = true;
  for (int i = 0; i < most && from.is_open() && holds_ == 0 && accept_one(from); ++i) continue;
  accepting_ = false;
  closed_.clear();
  const std::unique_ptr<stream_server> last = std::move(self_);
  return last == nullptr;
}

bool stream_server::accept_one(listener& from) {
  address peer;
  descriptor socket = accept_socket(from.socket.get(), peer);
  if (!socket.is_open()) return accept_failed(errno);
  if (!refuses_some_ || !refuses(peer)) make_connection(std::move(socket), peer);
  return true;
}

bool stream_server::refuses(const address& peer) noexcept {
  const bool allowed = settings_.allow.empty() || contains(settings_.allow, peer);
  if (!allowed || contains(settings_.deny, peer)) {
    ++counters_.refused_by_network;
    return true;
  }
  if (tally_->may_enter(peer)) return false;
  ++counters_.refused_by_peer_limit;
  return true;
}

void stream_server::make_connection(descriptor socket, const address& peer) {
  const cork_guard turn(loop_);
  protocol_ptr upper = make_protocol(loop_, factory_);
  if (listeners_.empty()) return;  // a server closed by the factory takes no more (rule L16)
  if (upper == nullptr) {
    ++counters_.factory_failures;
    return;
  }
  try {
    stream_transport::start(channels_(std::move(socket), peer, tally_), std::move(upper));
    ++counters_.accepted;
  } catch (const std::bad_alloc&) {
    ++counters_.accept_errors;
    loop_.report(
        {error_source::accept, 0, make_error_code(std::errc::not_enough_memory), std::current_exception(), "a connection was closed"});
  }
  if (settings_.max_connections == 0 || tally_->open() < settings_.max_connections || is_held(accept_hold::connection_limit)) return;
  hold_accepting(accept_hold::connection_limit);
  ++counters_.limit_pauses;
}

bool stream_server::accept_failed(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return false;
  ++counters_.accept_errors;
  if (concerns_one_client(error)) return true;
  run_short(error);
  return false;
}

// Descriptors or memory, or something that we do not know: reported once per episode, and no spinning on the listener meanwhile (rule S10).
void stream_server::run_short(int error) {
  if (retrying_ && is_want_of_descriptors(error))
    for (const auto& each : listeners_) turn_away(*each);
  if (!retry_.is_running()) retry_.start(retry_after);
  hold_accepting(accept_hold::shortage);
  const bool was_reported = loop_.now() < short_until_;
  short_until_ = loop_.now() + retry_after + episode_gap;
  if (was_reported) return;
  ++counters_.accept_pauses;
  loop_.report({error_source::accept, 0, system_error(error), nullptr, "accepting is paused; it is tried again every second"});
}

void stream_server::retry() {
  release_accepting(accept_hold::shortage);
  retrying_ = true;
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    if (!accept_some(*listeners_[i], most_accepts_per_event)) return;
  retrying_ = false;
}

// They would wait in the system's queue until they give up, and never hear of us (rule S10).
void stream_server::turn_away(listener& from) {
  for (int i = 0; i < most_turned_away_at_once; ++i) {
    address peer;
    spare_.close();
    const bool accepted = accept_socket(from.socket.get(), peer).is_open();
    spare_ = duplicate(from.socket.get());
    if (!accepted) return;
    ++counters_.dropped;
  }
}

}  // namespace sluice::detail
